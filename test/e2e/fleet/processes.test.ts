import { readFile } from 'node:fs/promises';
import { credentials, makeGenericClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import {
  AuthorizationService,
  CheckResponse,
} from '../../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { standingStill } from '../../real/standing-still.ts';
import { earlierThan, until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { startConfigured } from '../routes.ts';
import { admin, makeKey } from '../stack.ts';

const stalenessMaxMs = 15_000; // the default
/** Not for ever, since one that stands still is waited for so long. */
const settings = 'check: { store_timeout: 5s }\nsettle_timeout: 5s\n';

describe.each(['SQLite', 'MongoDB'])('two processes that answer Checks, on %s', (kind) => {
  let postern: Postern;
  beforeAll(async () => {
    const store = kind === 'SQLite' ? 'sqlite::memory:' : freshDatabase(inject('mongoUri')).uri;
    postern = await startConfigured(settings, {
      ...{ POSTERN_STORE: store, POSTERN_PROCESSES: '2', POSTERN_REPLICA_ID: 'one' },
    });
  });
  afterAll(() => postern?.stop());

  it('share few connections evenly, and judge by the new record once a key is revoked', async () => {
    const { id, key } = await makeKey(postern);
    const clients = connect(postern, 4);
    for (const client of clients) expect(await client(key)).toBe('allowed');
    expect(await revoke(postern, id)).toMatchObject({ unconfirmed_replicas: [] });
    for (const client of clients) expect(await client(key)).toBe('revoked');

    const [first] = await stopped(postern);
    expect(await lateOf(clients, key)).toBe(2);
    first?.kill('SIGCONT');
    await expect.poll(() => lateOf(clients, key)).toBe(0);
  });

  it('are counted together', async () => {
    const { key } = await makeKey(postern);
    const before = await counted(postern);
    for (const client of connect(postern, 2)) expect(await client(key)).toBe('allowed');
    expect(await counted(postern)).toBe(before + 2);
  });

  it('name one that stands still, and when it answers from memory no more', async () => {
    const { id, key } = await makeKey(postern);
    const clients = connect(postern, 2);
    for (const client of clients) expect(await client(key)).toBe('allowed');
    const [first] = await stopped(postern);
    const began = Date.now();
    // Not so long that it would have lapsed.
    const { unconfirmed_replicas, effective_at } = await earlierThan(12_000, () => revoke(postern, id));
    expect(unconfirmed_replicas).toEqual(['one/1']);
    expect(Date.parse(effective_at)).toBeGreaterThanOrEqual(began + stalenessMaxMs);
    expect(Date.parse(effective_at)).toBeLessThan(Date.now() + stalenessMaxMs + 1);
    expect((await Promise.all(clients.map((client) => client(key)))).toSorted()).toEqual(['late', 'revoked']);

    first?.kill('SIGCONT');
    // What it applies first is what came while it stood still.
    await expect.poll(async () => (await clients[0]?.(key)) ?? '').toBe('revoked');
    await expect.poll(async () => (await clients[1]?.(key)) ?? '').toBe('revoked');
  });

  it('are asked how a key stands with its limit, and one that stands still is done without', async () => {
    const { key } = await makeKey(postern, { rate_limit: { limit: 5, window: '3650d' } });
    const [first] = await stopped(postern);
    const verified = await admin(postern, 'POST', '/admin/api-keys:verify', { key });
    expect(verified).toMatchObject({ data: { allowed: true } });
    first?.kill('SIGCONT');
  });

  it('admit a limit together and no more, in windows that begin while they run', async () => {
    const { key } = await makeKey(postern, { rate_limit: { limit: 100, window: '5s' } });
    const clients = connectRaw(postern, 2, 60_000);
    const allowed = new Map<string, number>();
    /** The windows in which both have denied: nothing is left of them. */
    const spent = new Map<string, Set<number>>();
    // Of a window in which a machine stood still, units may be lost: then the next is looked at.
    await until('two windows were spent, 95 units and more of each', async () => {
      const asked = Array.from({ length: 20 }, (_, at) => clients[at % 2]?.(key) ?? null);
      for (const [at, { reset, isAllowed }] of (await Promise.all(asked)).map(windowOf).entries()) {
        if (isAllowed) allowed.set(reset, (allowed.get(reset) ?? 0) + 1);
        else if (reset !== '') spent.set(reset, (spent.get(reset) ?? new Set()).add(at % 2));
      }
      const full = [...spent].filter(([reset, { size }]) => size === 2 && (allowed.get(reset) ?? 0) >= 95);
      return full.length >= 2;
    });
    for (const count of allowed.values()) expect(count).toBeLessThanOrEqual(100);
  });

  it('are still two when one has died, and the other answers meanwhile', async () => {
    const { key } = await makeKey(postern);
    const [first, second] = await workersOf(postern);
    process.kill(first as number, 'SIGKILL');
    const target = `${postern.check.host}:${postern.check.port}`;
    const asked = async () => {
      try {
        const { code } = await sendCheck(target, checkRequest({ authorization: `Bearer ${key}` }));
        return code === 0 ? 'allowed' : 'denied';
      } catch {
        // As Envoy does, it asks again.
        return 'again';
      }
    };
    const answers = new Set<string>();
    const again = await until('another is there', async () => {
      answers.add(await asked());
      const workers = await workersOf(postern);
      return workers.length === 2 && !workers.includes(first as number) && workers;
    });
    expect(again).toContain(second);
    expect(answers.has('denied')).toBe(false);
    expect(await until('it answers', async () => (await asked()) === 'allowed')).toBe(true);
    const line = await until('the log says so', () =>
      postern.logLines().find(({ msg }) => msg === 'a Check worker has ended and is replaced'),
    );
    expect(line).toMatchObject({ worker: 'one/1', why: 'SIGKILL' });
  });
});

it('processes that answer Checks end with the service, after their calls, or at once when it dies', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const postern = await startPostern({ POSTERN_PROCESSES: 'auto' });
    onTestFinished(() => postern.stop());
    const workers = await workersOf(postern);
    expect(workers.length).toBeGreaterThan(0);
    // What a supervisor signals to all of them, the service answers to.
    if (signal === 'SIGTERM') for (const worker of workers) process.kill(worker, 'SIGTERM');
    await postern.kill(signal);
    expect(await postern.exited).toBe(signal === 'SIGTERM' ? 0 : null);
    await until('they are gone', () => workers.every((pid) => !isAlive(pid)));
  }
});

type Client = (key: string) => Promise<string>;
/** Null where none came in time. */
type Ask = (key: string) => Promise<CheckResponse | null>;

/** Clients with a connection each. */
function connect(postern: Postern, count: number): Client[] {
  return connectRaw(postern, count).map((ask) => async (key) => {
    const answer = await ask(key);
    if (answer === null) return 'late';
    return answer.status?.code === 0 ? 'allowed' : String(answer.dynamicMetadata?.reason);
  });
}

function connectRaw({ check }: Postern, count: number, deadlineMs = 6_000): Ask[] {
  const { check: method } = AuthorizationService;
  const bytesOf = (bytes: Uint8Array) => Buffer.from(bytes);
  const definition = {
    check: { ...method, requestSerialize: bytesOf, responseDeserialize: CheckResponse.decode },
  };
  const Service = makeGenericClientConstructor(definition, 'Authorization');
  return Array.from({ length: count }, () => {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    const client = new Service(`${check.host}:${check.port}`, credentials.createInsecure(), options);
    onTestFinished(() => client.close());
    const ask = client.check as unknown as (
      request: Uint8Array,
      options: { deadline: number },
      done: (error: ServiceError | null, answer: CheckResponse) => void,
    ) => void;
    return (key) =>
      new Promise((resolve, reject) => {
        const request = checkRequest({ authorization: `Bearer ${key}` });
        ask.call(client, request, { deadline: Date.now() + deadlineMs }, (error, answer) => {
          if (error?.code === status.DEADLINE_EXCEEDED) resolve(null);
          else if (error) reject(error);
          else resolve(answer);
        });
      });
  });
}

/** Of a Check's window, as the caller reads it; whether it was allowed, or denied for its limit. */
function windowOf(answer: CheckResponse | null): { readonly reset: string; readonly isAllowed: boolean } {
  const { httpResponse } = answer ?? {};
  const headers =
    httpResponse?.$case === 'okResponse'
      ? httpResponse.value.responseHeadersToAdd
      : (httpResponse?.value.headers ?? []);
  const reset = headers.find(({ header }) => header?.key.toLowerCase() === 'x-ratelimit-reset');
  return { reset: reset?.header?.value ?? '', isAllowed: answer?.status?.code === 0 };
}

interface Revoked {
  readonly effective_at: string;
  readonly unconfirmed_replicas: readonly string[];
}

async function revoke(postern: Postern, id: string): Promise<Revoked> {
  const { data } = (await admin(postern, 'DELETE', `/admin/api-keys/${id}`)) as { data: Revoked };
  return data;
}

async function lateOf(clients: readonly Client[], key: string): Promise<number> {
  const answers = await Promise.all(clients.map((client) => client(key)));
  return answers.filter((answer) => answer === 'late').length;
}

/** The Check workers, in the order of their numbers. */
async function workersOf({ pid }: Postern): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').filter(Boolean).map(Number);
}

/** The workers, the first of which stands still until it is told to go on, at the end of the test at the latest. */
async function stopped(postern: Postern) {
  const pids = await workersOf(postern);
  const workers = pids.map((pid) => ({ kill: (signal: NodeJS.Signals) => process.kill(pid, signal) }));
  workers[0]?.kill('SIGSTOP');
  onTestFinished(() => void workers[0]?.kill('SIGCONT'));
  await standingStill(pids[0] as number);
  return workers;
}

async function counted({ url }: Postern): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    /^postern_checks_total\{decision="allow",reason="",scheme="postern"\} (\d+)$/m.exec(text)?.[1] ?? 0,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
