/** A fleet of real change feeds on one real mongod, and what it costs the server. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { Document, MongoClient } from 'mongodb';
import { createKeyIds, type KeyId, type KeyRecord } from '../../src/keys/key.ts';
import type { Digest } from '../../src/keys/secret.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import type { Mongo } from '../../test/real/mongod.ts';
import { readProcessorTime, since } from '../common/processor-time.ts';
import type { FeedAnswer, FeedOrder } from './feeds.ts';

/** What one fleet did to the server while it was looked at. */
export interface FleetCost {
  readonly replicas: number;
  /** Of the server's processor, in cores, while nothing is asked. */
  readonly idleCores: number;
  /** Inserts, updates and deletes of one replica in ten seconds, while nothing is asked. */
  readonly idleWrites: number;
  /** Entries of the oplog in a second, while nothing is asked. */
  readonly idleEntries: number;
  /** The same while each replica writes the use of {@link usedKeys} keys every five seconds, the same everywhere. */
  readonly usingCores: number;
  readonly usingEntries: number;
  /** The same with one revocation a second, and no use. */
  readonly narrowingCores: number;
  /** Of the processes of the feeds, in milliseconds a second and replica: idle, and with one revocation a second. */
  readonly idleOwnMs: number;
  readonly narrowingOwnMs: number;
  readonly settledP50Ms: number;
  readonly settledP99Ms: number;
  /** Revocations of which a replica was named as unconfirmed. */
  readonly unconfirmed: number;
  /** Connections that the server counts, those of the measurement aside. */
  readonly connections: number;
  readonly fresh: number;
}

export interface FleetOptions {
  readonly replicas: number;
  readonly processes: number;
  readonly checkout: string;
  readonly idleSeconds: number;
  readonly revocations: number;
  /** Replicas start at random within this time. */
  readonly withinMs: number;
  /** See {@link FeedOrder}. */
  readonly relayedFrom?: number | undefined;
}

/** Keys that are used at every replica within one interval. */
export const usedKeys = 20;
const useEveryMs = 5_000;
const registeredAgainMs = 20_000;

/** Runs one fleet on a database of its own, and ends it. */
export async function runFleet(client: MongoClient, mongo: Mongo, options: FleetOptions): Promise<FleetCost> {
  const { replicas, processes, checkout, idleSeconds, revocations, withinMs, relayedFrom } = options;
  const admin = client.db('admin');
  const pid = (await mongo.primary()).pid();
  const name = `fleet_${randomBytes(4).toString('hex')}`;
  const url = new URL(mongo.uri);
  url.pathname = `/${name}`;
  const connected = async () => (await admin.command({ serverStatus: 1 })).connections.current as number;
  const before = await connected();
  const children = Array.from({ length: Math.min(processes, replicas) }, startChild);
  try {
    const each = Math.ceil(replicas / children.length);
    await Promise.all(
      children.map(({ ask }, at) =>
        ask({
          ...{ do: 'open', uri: url.href, checkout, from: at * each },
          ...{ count: Math.min(each, replicas - at * each), withinMs, relayedFrom },
        }),
      ),
    );
    // Each has registered anew by then, and knows how large the fleet is.
    await pause(registeredAgainMs);
    const own = () => readProcessorTime(...children.map(({ child }) => child.pid ?? 0));
    const ownMs = (before: ReturnType<typeof own>, seconds: number) =>
      since(before, own()).ranNs / 1e6 / seconds / replicas;
    const ownBefore = own();
    const idle = await watched(client, pid, () => pause(idleSeconds * 1_000));
    const idleOwnMs = ownMs(ownBefore, idle.seconds);
    const connections = (await connected()) - before;
    const first = children[0];
    if (first === undefined) throw new Error('a fleet has one replica at least');
    const used = sampleKeys(usedKeys);
    await first.ask({ do: 'seed', keys: used });
    const using = await watched(client, pid, async () => {
      for (let spentMs = 0; spentMs < idleSeconds * 1_000; spentMs += useEveryMs) {
        const began = performance.now();
        const tallies = used.map(({ id }) => useOf(id));
        // Replicas do not write at one moment.
        await Promise.all(
          children.map(async ({ ask }, at) => {
            await pause((useEveryMs / 2) * (at / children.length));
            await ask({ do: 'use', tallies });
          }),
        );
        await pause(useEveryMs - (performance.now() - began));
      }
    });
    const keys = sampleKeys(revocations);
    for (const key of keys) await first.ask({ do: 'insert', key });
    const settled: FeedAnswer[] = [];
    const narrowingBefore = own();
    const narrowing = await watched(client, pid, async () => {
      for (const [at, key] of keys.entries()) {
        const began = performance.now();
        settled.push(await (children[at % children.length] ?? first).ask({ do: 'revoke', key }));
        await pause(1_000 - (performance.now() - began));
      }
    });
    const narrowingOwnMs = ownMs(narrowingBefore, narrowing.seconds);
    const fresh = await Promise.all(children.map(({ ask }) => ask({ do: 'fresh' })));
    const took = settled.map(({ ms }) => ms).sort((a, b) => a - b);
    return {
      replicas,
      idleCores: idle.cores,
      idleWrites: (idle.writes * 10) / idle.seconds / replicas,
      idleEntries: idle.entries / idle.seconds,
      usingCores: using.cores,
      usingEntries: using.entries / using.seconds,
      narrowingCores: narrowing.cores,
      ...{ idleOwnMs, narrowingOwnMs },
      settledP50Ms: took[Math.floor(took.length / 2)] ?? Number.NaN,
      settledP99Ms: took.at(-1) ?? Number.NaN,
      unconfirmed: settled.filter(({ unconfirmed = [] }) => unconfirmed.length > 0).length,
      connections,
      fresh: fresh.reduce((sum, { fresh: held = 0 }) => sum + held, 0),
    };
  } finally {
    await Promise.race([Promise.all(children.map(({ ask }) => ask({ do: 'close' }))), pause(20_000)]).catch(
      () => {},
    );
    for (const { child } of children) child.kill('SIGKILL');
    await client.db(name).dropDatabase();
  }
}

/** What the server did during some work. */
async function watched(client: MongoClient, pid: number, work: () => Promise<unknown>) {
  const status = async (): Promise<Document> => client.db('admin').command({ serverStatus: 1 });
  const [counters, ran, began] = [await status(), readProcessorTime(pid), performance.now()];
  await work();
  const seconds = (performance.now() - began) / 1_000;
  const cores = since(ran, readProcessorTime(pid)).ranNs / 1e9 / seconds;
  const after = await status();
  const grown = (group: string, member: string) => after[group][member] - counters[group][member];
  const writes = ['insert', 'update', 'delete'].reduce((sum, each) => sum + grown('opcounters', each), 0);
  return { seconds, cores, writes, entries: await entriesSince(client, counters, after) };
}

async function entriesSince(client: MongoClient, before: Document, after: Document): Promise<number> {
  const [from, to] = [before.operationTime, after.operationTime];
  return client
    .db('local')
    .collection('oplog.rs')
    .countDocuments({ ts: { $gt: from, $lte: to } });
}

export interface Child {
  readonly child: ChildProcess;
  ask(order: FeedOrder): Promise<FeedAnswer>;
}

export function startChild(): Child {
  const child = fork(fileURLToPath(new URL('feeds.ts', import.meta.url)), { execArgv: [] });
  const waiting = new Map<number, { resolve(answer: FeedAnswer): void; reject(error: Error): void }>();
  let asked = 0;
  child.on('message', ({ id, answer, error }: { id: number; answer: FeedAnswer; error?: string }) => {
    const waits = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) waits?.resolve(answer);
    else waits?.reject(new Error(error));
  });
  return {
    child,
    ask(order) {
      const { promise, resolve, reject } = Promise.withResolvers<FeedAnswer>();
      waiting.set(++asked, { resolve, reject });
      child.send({ id: asked, order });
      return promise;
    },
  };
}

export function sampleKeys(count: number): KeyRecord[] {
  const nextId = createKeyIds(Date.now);
  const now = Date.now();
  return Array.from({ length: count }, nextId).map((id) => ({
    ...{ id, digest: randomBytes(32).toString('base64url') as Digest, name: 'Asset backend' },
    ...{ scheme: 'postern', environment: 'live', prefix: 'pst_live_Ab3d', last4: 'w9Xz', owner: null },
    ...{
      permissions: ['read:assets'],
      ipAllowlist: [],
      principals: [],
      plan: null,
      rateLimits: [],
      labels: {},
    },
    ...{ createdAt: now, updatedAt: now, lastUsedAt: null, expiresAt: null, disabledAt: null },
    ...{ revokedAt: null, rotatedFrom: null, rotatedTo: null, spender: id, createdBy: null },
    ...{ importId: null, revivedAt: null, requestKey: null, version: 1, roles: [], externalId: null },
  }));
}

function useOf(key: KeyId): UsageTally {
  const now = Date.now();
  const hour = now - (now % 3_600_000);
  const none = { denied: {}, observed: {} };
  return { key, hour, allowed: 10, ...none, lastUsedAt: now, addresses: ['192.0.2.1'] };
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => (ms > 0 ? setTimeout(resolve, ms) : resolve()));
}
