import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { allowed } from '../client/answer.ts';
import { expectedStatus } from '../common/kinds.ts';
import { type SeedKeys, seedFile, seedMongo } from '../common/seed.ts';
import { type Child, type Peer, startChild, untilUp } from './peer.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface PosternOptions {
  /** As it is shown. */
  readonly name: string;
  /** On MongoDB with this address; on a SQLite file where there is none. */
  readonly mongo: string | null;
  readonly keys: SeedKeys;
  /** The settings file, YAML; empty for none. */
  readonly settings: string;
  readonly processes: number;
}

/** Starts `postern serve` as a user would, on a fresh store that holds `keys`. */
export async function startPostern(scratch: string, options: PosternOptions): Promise<Peer> {
  const { name, mongo, keys, processes } = options;
  const file = join(scratch, 'postern.db');
  if (mongo === null) await seedFile(file, keys);
  else await seedMongo(mongo, keys);
  const settingsFile = join(scratch, 'postern.yaml');
  writeFileSync(settingsFile, options.settings);
  const service = await launchPostern(scratch, 'postern', {
    ...{ POSTERN_STORE: mongo ?? `sqlite:${file}`, POSTERN_PROCESSES: String(processes) },
    POSTERN_CONFIG: settingsFile,
  });
  const { child, checkPort, url } = service;
  return {
    name,
    port: checkPort,
    pid: child.process.pid ?? 0,
    proxyPid: null,
    protocol: 'check',
    mention: 'x-postern-key-id',
    presents: (kind) => kind,
    answer: (kind) => expectedStatus(kind) ?? allowed,
    misses: async () => sumLoads(await (await fetch(`${url}/metrics`)).text()),
    settled: () => untilSettled(url),
    output: child.output,
    stop: child.stop,
    service: { ...service, settingsFile },
  };
}

/** A store with a million entries, on a machine that does something else. */
const startMaxMs = 180_000;

/** A `postern serve` that is ready. */
export interface LaunchedPostern {
  readonly child: Child;
  readonly checkPort: number;
  /** Of the HTTP listener. */
  readonly url: string;
  readonly adminKey: string;
}

/** Starts a service with these settings, on ports that the system chooses; its log goes to a file of `name`. */
export async function launchPostern(
  scratch: string,
  name: string,
  settings: Readonly<Record<string, string>>,
): Promise<LaunchedPostern> {
  const adminKey = randomBytes(32).toString('hex');
  const env = {
    // Settings of the caller's own shell are not what is measured.
    PATH: process.env.PATH,
    POSTERN_CHECK_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_HTTP_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_KEY: adminKey,
    ...settings,
  };
  const child = startChild(process.execPath, [join(root, 'bin/postern.js'), 'serve'], {
    env,
    cwd: scratch,
    log: join(scratch, `${name}.log`),
  });
  const listening = () => listeningLine(child.output());
  await untilUp(
    child,
    async () => {
      const http = listening()?.http;
      return http !== undefined && (await fetch(`http://${http}/readyz`)).ok;
    },
    startMaxMs,
  );
  const { check, http } = listening() ?? {};
  return { child, checkPort: Number(check?.split(':').at(-1)), url: `http://${http}`, adminKey };
}

/** What a service logs of its listeners, once it has them. */
function listeningLine(log: string): { readonly check: string; readonly http: string } | undefined {
  const line = log.split('\n').find((each) => each.startsWith('{') && each.includes('"msg":"listening"'));
  return line?.endsWith('}') ? JSON.parse(line) : undefined;
}

/** Longer than between two pages of keys that are read into memory. */
const pageMs = 1_000;

async function untilSettled(url: string): Promise<void> {
  const entries = async () => {
    const lines = (await (await fetch(`${url}/metrics`)).text()).matchAll(/^postern_cache_entries\{.*$/gm);
    return [...lines].join('\n');
  };
  let before: string | null = null;
  for (let now = await entries(); now !== before; now = await entries()) {
    before = now;
    await setTimeout(pageMs);
  }
}

function sumLoads(metrics: string): number {
  const lines = metrics.matchAll(/^postern_cache_lookups_total\{[^}]*result="load"[^}]*\} (\S+)$/gm);
  return lines.reduce((sum, [, count]) => sum + Number(count), 0);
}
