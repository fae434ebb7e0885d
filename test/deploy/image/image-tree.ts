import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type ImageSettings,
  type Instruction,
  readDockerfile,
  readSettings,
  type Stage,
} from './dockerfile.ts';

const run = promisify(execFile);

export const repository = fileURLToPath(new URL('../../../', import.meta.url));
const stepMs = 600_000;
const isRoot = process.getuid?.() === 0;

/** What a Dockerfile's steps leave, as a folder. */
export interface ImageTree {
  readonly settings: ImageSettings;
  /** The folder that stands for `/`; a program in it may write to the volumes and nowhere else. */
  readonly root: string;
  /** A path in the image, in the folder that stands for it. */
  place(path: string): string;
  /** How to run a command of the image as its user: what `env` is given. */
  runArgs(command: readonly string[]): string[];
  /** The image's environment, a PATH with its Node alone, and these. */
  environment(more: Readonly<Record<string, string>>): Record<string, string>;
  remove(): void;
}

/**
 * Runs COPY, RUN and WORKDIR of every stage of the repository's deploy/Dockerfile in clean folders, on this process's
 * own Node in place of the base image. Throws where a step fails.
 */
export async function buildImage(): Promise<ImageTree> {
  const stages = readDockerfile(readFileSync(join(repository, 'deploy/Dockerfile'), 'utf8'));
  const folder = mkdtempSync(join(tmpdir(), 'postern-image-'));
  // The image's user has to get through.
  chmodSync(folder, 0o755);
  const context = join(folder, 'context');
  sendContext(context);
  const places = new Map<string, string>();
  for (const stage of stages) {
    const root = join(folder, `stage-${stage.name}`);
    places.set(stage.name, root);
    await buildStage(stage, root, (from) => (from === undefined ? context : given(places.get(from))));
  }
  const last = given(stages.at(-1));
  const root = given(places.get(last.name));
  mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
  cpSync(process.execPath, join(root, 'usr/local/bin/node'));
  return seal(readSettings(last), root, folder);
}

/** The files that .dockerignore lets through: it has to be a list of what is allowed. */
export function allowedInContext(): string[] {
  const lines = readFileSync(join(repository, '.dockerignore'), 'utf8').split('\n');
  const [first, ...rest] = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*' || !rest.every((line) => /^![\w./-]+$/.test(line))) {
    throw new Error('.dockerignore is not a * and then plain paths that are allowed');
  }
  return rest.map((line) => line.slice(1));
}

/** The bytes of all files below a folder. */
export function bytesOf(folder: string): number {
  return filesIn(folder).reduce((sum, path) => sum + lstatSync(path).size, 0);
}

export function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
}

function sendContext(context: string): void {
  for (const path of allowedInContext()) {
    cpSync(join(repository, path), join(context, path), { recursive: true });
  }
}

async function buildStage(stage: Stage, root: string, source: (from?: string) => string): Promise<void> {
  let folder = root;
  mkdirSync(root, { recursive: true });
  for (const instruction of stage.instructions) {
    if (instruction.name === 'WORKDIR') {
      folder = join(root, instruction.text);
      mkdirSync(folder, { recursive: true });
    } else if (instruction.name === 'COPY') copy(instruction, source(instruction.flags.from), folder, root);
    else if (instruction.name === 'RUN') await runStep(instruction.text, folder);
  }
}

/** As Docker does: a file goes into a folder that ends in /, of a folder what is in it does. */
function copy({ text, flags }: Instruction, from: string, folder: string, root: string): void {
  const paths = text.split(/\s+/);
  const given = paths.pop() ?? '';
  const target = given.startsWith('/') ? join(root, given) : join(folder, given);
  for (const path of paths) {
    const origin = join(from, path);
    const isFile = statSync(origin).isFile();
    const isInto = given.endsWith('/');
    cpSync(origin, isFile && isInto ? join(target, basename(path)) : target, {
      ...{ recursive: true, verbatimSymlinks: true },
    });
  }
  if (flags.chown === undefined || !isRoot) return;
  const [user = 0, group = 0] = flags.chown.split(':').map(Number);
  chownSync(target, user, group);
}

/** Nothing of the checkout is in reach: no tool of its node_modules, no setting of its tests. */
async function runStep(command: string, cwd: string): Promise<void> {
  if (/(?:^|[\s=])\//.test(command)) throw new Error(`RUN names a path of the image: ${command}`);
  const outside = (process.env.PATH ?? '').split(delimiter).filter((path) => !path.startsWith(repository));
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:POSTERN_|VITEST|NODE_(?:ENV|OPTIONS|PATH)$|npm_package)/.test(name),
  );
  await run('/bin/sh', ['-c', `{ ${command}; } 1>&2`], {
    cwd,
    env: {
      ...Object.fromEntries(kept),
      PATH: [dirname(process.execPath), ...outside].join(delimiter),
      npm_config_prefer_offline: 'true',
    },
    timeout: stepMs,
    maxBuffer: 16 * 1024 * 1024,
  });
}

function seal(settings: ImageSettings, root: string, folder: string): ImageTree {
  const place = (path: string) => join(root, path);
  for (const path of ['.', 'app', 'usr']) setWritable(place(path), false, path === '.');
  const [user = '', group = ''] = settings.user.split(':');
  const asUser = isRoot ? ['setpriv', '--reuid', user, '--regid', group, '--clear-groups'] : [];
  return {
    settings,
    root,
    place,
    runArgs(command) {
      const mapped = command.map((word) => (word.startsWith(`${sep}app`) ? place(word) : word));
      const [program = '', ...args] = mapped;
      const node = program === 'node' ? place('/usr/local/bin/node') : program;
      return ['-C', place(settings.folder), ...asUser, node, ...args];
    },
    environment: (more) => ({ ...settings.environment, PATH: '/usr/bin:/bin', ...more }),
    remove() {
      setWritable(root, true, false);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function setWritable(folder: string, isWritable: boolean, isAlone: boolean): void {
  const inside = isAlone ? [] : readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = inside
    .filter((entry) => !entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const path of [folder, ...paths]) {
    const mode = statSync(path).mode & 0o777;
    chmodSync(path, isWritable ? mode | 0o200 : mode & 0o555);
  }
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('no such stage');
  return value;
}
