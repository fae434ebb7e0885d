import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { librariesIn, unpackDebian } from './debian.ts';
import { executable, lastLine, renameIfAbsent } from './installation.ts';

const run = promisify(execFile);

/** A browser on this machine, and what it needs in its environment. */
export interface Firefox {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

const variable = 'POSTERN_TEST_FIREFOX';
const commands = ['firefox-esr', 'firefox'];
/** An extended support release, which Debian has. */
const oldestMajor = 140;
const cache = fileURLToPath(new URL('../../.cache/real/', import.meta.url));

/** A Firefox, 140 or newer; the first call on a machine may fetch it. Throws with what to do where there is none. */
export async function findFirefox(): Promise<Firefox> {
  const given = process.env[variable];
  if (given) {
    const problem = await problemWith({ path: given, env: {} });
    if (problem) throw new Error(`${variable}=${given}: ${problem}`);
    return { path: given, env: {} };
  }

  const tried: string[] = [`${variable} is not set`];
  for (const command of commands) {
    const folders = (process.env.PATH ?? '').split(delimiter);
    const path = folders.map((folder) => join(folder, command)).find(executable);
    const problem = path ? await problemWith({ path, env: {} }) : 'not there';
    if (path && !problem) return { path, env: {} };
    tried.push(`${command} on the PATH: ${problem}`);
  }

  const fetched = await fromDebian();
  if ('path' in fetched) return fetched;
  tried.push(`apt-get download firefox-esr: ${fetched.problem}`);

  throw new Error(
    `These checks run in a real Firefox, and there is none here.\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      `Install Firefox ${oldestMajor} or newer on the PATH (apt-get install firefox-esr), or set ${variable} to one, ` +
      "or have apt-get, dpkg-deb and Debian's packages in reach.",
  );
}

/** Why this file cannot serve; `undefined` when it can. */
async function problemWith({ path, env }: Firefox): Promise<string | undefined> {
  if (!executable(path)) return 'no executable file';
  try {
    const options = { timeout: 120_000, env: { ...process.env, ...env } };
    const { stdout } = await run(path, ['--version'], options);
    const major = Number(/(\d+)\.\d+/.exec(stdout)?.[1]);
    if (Number.isNaN(major)) return `says no version: ${stdout.slice(0, 200)}`;
    return major >= oldestMajor ? undefined : `is ${major}, older than ${oldestMajor}`;
  } catch (error) {
    return `does not run: ${lastLine(error)}`;
  }
}

/** Of two that fetch at once the second uses what the first has put there. */
async function fromDebian(): Promise<Firefox | { problem: string }> {
  const folder = join(cache, 'firefox-debian');
  const firefox = inFolder(folder);
  if (existsSync(firefox.path)) return firefox;

  const partial = `${folder}.${randomBytes(6).toString('hex')}`;
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(cache, '.gitignore'), '*\n');
  process.stderr.write(
    `fetching firefox for the checks: Debian's firefox-esr, 80 MB and what it needs, once, into ${folder}\n`,
  );
  try {
    await unpackDebian(partial, 'firefox-esr', 'what is missing');
    const problem = await problemWith(inFolder(partial));
    if (problem) return { problem };
    renameIfAbsent(partial, folder);
    return firefox;
  } catch (error) {
    return { problem: lastLine(error) };
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

function inFolder(folder: string): Firefox {
  return {
    path: join(folder, 'usr/lib/firefox-esr/firefox-esr'),
    env: { LD_LIBRARY_PATH: librariesIn(folder) },
  };
}
