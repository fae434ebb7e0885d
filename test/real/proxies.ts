import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from './child.ts';
import { librariesIn, unpackDebian } from './debian.ts';
import { executable, lastLine, renameIfAbsent } from './installation.ts';
import { patient } from './patient.ts';
import { freePort } from './port.ts';
import type { Address } from './postern.ts';
import { until } from './until.ts';

/** A proxy that asks by a subrequest, and its example in deploy/. */
interface ProxyPart {
  readonly command: string;
  readonly variable: string;
  /** Of Debian, beside the one that has its name: what it needs. */
  readonly packages: readonly string[];
  readonly example: string;
  readonly args: (file: string) => readonly string[];
}

const parts = {
  nginx: {
    command: 'nginx',
    variable: 'POSTERN_TEST_NGINX',
    packages: [],
    example: 'nginx/nginx.conf',
    args: (file) => ['-c', file, '-g', 'daemon off;'],
  },
  caddy: {
    command: 'caddy',
    variable: 'POSTERN_TEST_CADDY',
    packages: [],
    example: 'caddy/Caddyfile',
    args: (file) => ['run', '--config', file, '--adapter', 'caddyfile'],
  },
  haproxy: {
    command: 'haproxy',
    variable: 'POSTERN_TEST_HAPROXY',
    packages: ['liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'],
    example: 'haproxy/haproxy.cfg',
    args: (file) => ['-db', '-f', file],
  },
} satisfies Record<string, ProxyPart>;

export type ProxyName = keyof typeof parts;
export const proxyNames = Object.keys(parts) as ProxyName[];

export interface RunningProxy {
  readonly url: string;
  log(): string;
  stop(): Promise<void>;
}

const CACHE = fileURLToPath(new URL('../../.cache/real/', import.meta.url));
const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));

/**
 * Starts the proxy on its example, with these addresses in it and what else is replaced, and patient times; on a
 * free port.
 */
export async function startProxy(
  name: ProxyName,
  addresses: { readonly check: Address; readonly upstream: Address },
  change: (text: string) => string = (text) => text,
): Promise<RunningProxy> {
  const part: ProxyPart = parts[name];
  const { path, env } = await findProxy(part);
  const scratch = await mkdtemp(join(tmpdir(), `postern-${name}-`));
  const port = await freePort();
  const { check, upstream } = addresses;
  const example = await readFile(join(deploy, part.example), 'utf8');
  const lua = join(scratch, 'postern.lua');
  await writeFile(lua, patient(await readFile(join(deploy, 'haproxy/postern.lua'), 'utf8')));
  const text = patient(change(example))
    .replaceAll('127.0.0.1:50053', `${check.host}:${check.port}`)
    .replaceAll('127.0.0.1:9000', `${upstream.host}:${upstream.port}`)
    .replaceAll('127.0.0.1:10000', `127.0.0.1:${port}`)
    .replaceAll('http://:10000', `http://:${port}`)
    // Folders of an installation, which an unpacked one has not.
    .replace(/^http \{$/m, `http {\n${nginxFolders(scratch)}`)
    .replaceAll('/tmp/postern-nginx.pid', join(scratch, 'nginx.pid'))
    .replaceAll('/etc/haproxy/postern.lua', lua);
  const file = join(scratch, part.example.replace(/^.*\//, ''));
  await writeFile(file, text);
  const child = await start({ path }, part.args(file), scratch, {
    PATH: process.env.PATH,
    HOME: scratch,
    ...env,
  });
  const stop = async () => {
    await child.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    await until(
      () => `${name} listens\n${child.log()}`,
      () => {
        if (child.hasExited()) throw new Error(`${name} ended\n${child.log()}`);
        return answers(port);
      },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}`, log: child.log, stop };
}

function nginxFolders(scratch: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return kinds.map((kind) => `  ${kind}_temp_path ${scratch}/${kind};`).join('\n');
}

function answers(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(undefined));
  });
}

/** The same order everywhere: the environment, the PATH, then Debian's packages, unpacked into `.cache/`. */
async function findProxy(part: ProxyPart): Promise<{ path: string; env: Record<string, string> }> {
  const given = process.env[part.variable];
  if (given) return { path: given, env: {} };
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  const onPath = folders.map((folder) => join(folder, part.command)).find(executable);
  if (onPath) return { path: onPath, env: {} };
  try {
    const root = await unpacked(part);
    const path = ['usr/sbin', 'usr/bin'].map((folder) => join(root, folder, part.command)).find(executable);
    if (!path) throw new Error(`the package has no ${part.command}`);
    return { path, env: { LD_LIBRARY_PATH: librariesIn(root) } };
  } catch (error) {
    throw new Error(
      `The tests run on a real ${part.command}, and there is none here: ${lastLine(error)}.\n` +
        `Install it on the PATH, or set ${part.variable} to one, or have apt-get, dpkg-deb and Debian's packages in reach.`,
    );
  }
}

/** Of two that fetch at once the second uses what the first has put there. */
async function unpacked({ command, packages }: ProxyPart): Promise<string> {
  const folder = join(CACHE, `${command}-debian`);
  if (existsSync(folder)) return folder;
  const partial = `${folder}.${randomBytes(6).toString('hex')}`;
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(CACHE, '.gitignore'), '*\n');
  process.stderr.write(`fetching ${command} for the tests: Debian's package, once, into ${folder}\n`);
  try {
    await unpackDebian(partial, command, packages);
    renameIfAbsent(partial, folder);
    return folder;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
