import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Running, start } from './child.ts';
import { until } from './until.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A service process of its own, started as a user starts it. */
export interface Postern {
  readonly pid: number;
  readonly check: Address;
  readonly admin: Address;
  /** Where proxies ask over HTTP; null where none may. */
  readonly httpCheck: Address | null;
  /** Of the HTTP listener, without a slash at the end. */
  readonly url: string;
  /** All that it has printed and logged. */
  log(): string;
  /** Its log, a line each. */
  logLines(): Record<string, unknown>[];
  kill(signal: NodeJS.Signals): Promise<void>;
  readonly exited: Promise<number | null>;
  stop(): Promise<void>;
}

/** The admin key of every service that is started with {@link startPostern}, unless the settings say otherwise. */
export const adminKey = `e2e-admin-${'k'.repeat(32)}`;

const bin = fileURLToPath(new URL('../../bin/postern.js', import.meta.url));
/** What V8 compiled of a service: written by those that end in order, since one that is killed keeps nothing. */
export const compileCache = fileURLToPath(new URL('../../.cache/compile', import.meta.url));
/** Of a service whose memory is looked at: what the compile cache holds is no part of it. */
export const withoutCompileCache = { NODE_DISABLE_COMPILE_CACHE: '1' };
/** What a service is set to that is told of no settings file: it waits for a busy machine. */
export const patientSettings = fileURLToPath(new URL('./patient.yaml', import.meta.url));

/**
 * Starts `postern serve` on ports that the system chooses and returns when it listens, or when it is ready
 * unless `ready` is false. Rejects with what it printed if it ends before.
 */
export async function startPostern(
  settings: Readonly<Record<string, string>>,
  { ready = true }: { readonly ready?: boolean } = {},
): Promise<Postern> {
  const scratch = await mkdtemp(join(tmpdir(), 'postern-'));
  const child = await launchPostern(settings, scratch);
  const stop = async () => {
    await child.stop();
    await rm(scratch, { recursive: true, force: true });
  };
  const logLines = () => readLines(child.log());
  try {
    const listening = await until(
      () => `Postern listens\n${child.log()}`,
      () => {
        if (child.hasExited()) throw new Error(`Postern ended\n${child.log()}`);
        const line = logLines().find(({ msg }) => msg === (ready ? 'ready' : 'listening'));
        return line && logLines().find(({ msg }) => msg === 'listening');
      },
    );
    const { kill, pid, log, exited } = child;
    const [check, admin] = [listening.check, listening.admin].map((text) => address(String(text)));
    if (check === undefined || admin === undefined) throw new Error('unreachable');
    const httpCheck = listening.http_check === undefined ? null : address(String(listening.http_check));
    return {
      pid,
      check,
      admin,
      httpCheck,
      url: `http://${listening.http}`,
      log,
      logLines,
      kill,
      exited,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts `postern serve` with these settings and waits for nothing; the caller stops it. */
export async function launchPostern(
  settings: Readonly<Record<string, string>>,
  scratch: string,
): Promise<Running> {
  refuseHaste(settings);
  const env = {
    PATH: process.env.PATH,
    // A sixth of the processor time of a start, of which the suite makes hundreds: 1.32 s, and 1.10 s with it.
    NODE_COMPILE_CACHE: compileCache,
    POSTERN_CONFIG: patientSettings,
    POSTERN_CHECK_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_HTTP_LISTEN: '127.0.0.1:0',
    POSTERN_STORE: 'sqlite::memory:',
    POSTERN_ADMIN_KEY: adminKey,
    ...settings,
  };
  return start({ path: process.execPath }, [bin, 'serve'], scratch, env);
}

/** On a busy machine a MongoDB takes longer than the defaults have it: such a test fails now and then. */
function refuseHaste({ POSTERN_STORE = '', POSTERN_CONFIG }: Readonly<Record<string, string>>): void {
  if (!POSTERN_STORE.startsWith('mongodb') || !POSTERN_CONFIG) return;
  const text = readFileSync(POSTERN_CONFIG, 'utf8');
  for (const setting of ['store_timeout', 'settle_timeout'])
    if (!text.includes(setting)) throw new Error(`say in ${POSTERN_CONFIG} how long: ${setting}`);
}

function readLines(log: string): Record<string, unknown>[] {
  return log
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function address(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
