/**
 * Replicas of `run.ts`, several in one process: the store on MongoDB as a service has it, each with connections, a
 * change feed and a lease of its own, and no listener. Told what to do by messages of the parent.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { KeyRecord } from '../../src/keys/key.ts';
import type { createMongoStore as CreateMongoStore } from '../../src/mongo/store.ts';
import type { Store } from '../../src/store/store.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';

/** What the parent says. */
export type FeedOrder =
  | {
      readonly do: 'open';
      readonly uri: string;
      /** The checkout whose `src/` is run. */
      readonly checkout: string;
      readonly from: number;
      readonly count: number;
      /** Replicas begin at random within this time. */
      readonly withinMs: number;
      /** The size from which on relays read the change stream for all; by default that of a service. */
      readonly relayedFrom?: number | undefined;
    }
  | { readonly do: 'insert'; readonly key: KeyRecord }
  | { readonly do: 'revoke'; readonly key: KeyRecord }
  | { readonly do: 'seed'; readonly keys: readonly KeyRecord[] }
  /** Each replica of the process writes that the same keys were used. */
  | { readonly do: 'use'; readonly tallies: readonly UsageTally[] }
  | { readonly do: 'fresh' }
  | { readonly do: 'close' };

export interface FeedAnswer {
  readonly ms: number;
  readonly unconfirmed?: readonly string[];
  readonly fresh?: number;
  readonly errors?: number;
}

const retentionMs = 30 * 86_400_000;
const stores: Store[] = [];
let errors = 0;
let turn = 0;

async function open(order: FeedOrder & { do: 'open' }): Promise<void> {
  const { uri, checkout, from, count, withinMs, relayedFrom } = order;
  const at = pathToFileURL(join(checkout, 'src/mongo/store.ts')).href;
  const { createMongoStore } = (await import(at)) as { createMongoStore: typeof CreateMongoStore };
  const openOne = async (place: number) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * withinMs));
    const store = createMongoStore({
      ...{ uri, replicaId: `replica-${from + place}`, stalenessMaxMs: 15_000, settleMaxMs: 1_000 },
      ...(relayedFrom !== undefined && { relayedFrom }),
      ...{ now: Date.now, monotonic: () => performance.now() },
      timeouts: { operationMs: 20_000, connectMs: 20_000 },
      onBackgroundError: () => void errors++,
    });
    await openPatiently(store);
    stores.push(store);
  };
  await Promise.all(Array.from({ length: count }, (_, place) => openOne(place)));
}

/** As a service does: what is worth trying again is tried again, with jitter. */
async function openPatiently(store: Store): Promise<void> {
  for (;;) {
    try {
      return await store.open();
    } catch (error) {
      if ((error as Error).name !== 'StoreUnavailable') throw error;
      errors++;
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000 + Math.random() * 4_000));
  }
}

async function answer(order: FeedOrder): Promise<Omit<FeedAnswer, 'ms'>> {
  const store = stores[turn++ % Math.max(1, stores.length)] as Store;
  switch (order.do) {
    case 'open':
      await open(order);
      return {};
    case 'insert':
      await store.insertKey(order.key, retentionMs);
      return {};
    case 'revoke': {
      const revoked = { ...order.key, revokedAt: Date.now(), version: order.key.version + 1 };
      const commit = await store.replaceKey(revoked, order.key.version, retentionMs);
      if (commit === null) throw new Error('the key was changed by somebody else');
      return { unconfirmed: (await store.settle(commit)).unconfirmedReplicas };
    }
    case 'seed':
      await store.insertKeys(order.keys, retentionMs);
      return {};
    case 'use':
      await Promise.all(stores.map((each) => each.recordUsage(order.tallies)));
      return {};
    case 'fresh':
      return { fresh: stores.filter(({ feed }) => feed.isFresh()).length, errors };
    case 'close':
      await Promise.all(stores.map((each) => each.close()));
      return {};
  }
}

process.on('message', async ({ id, order }: { id: number; order: FeedOrder }) => {
  const began = performance.now();
  try {
    const said = await answer(order);
    process.send?.({ id, answer: { ms: performance.now() - began, ...said } satisfies FeedAnswer });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
