import type { Db } from 'mongodb';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { concerns, timeoutsOf } from '../../../src/mongo/client.ts';
import { createSessions } from '../../../src/mongo/sessions.ts';
import { createUsageBatches } from '../../../src/mongo/usage/batches.ts';
import { createUsageFolding } from '../../../src/mongo/usage/folding.ts';
import { createUsageHours } from '../../../src/mongo/usage/hours.ts';
import { createUsagePlans } from '../../../src/mongo/usage/plan.ts';
import type { Store } from '../../../src/store/store.ts';
import { until } from '../../real/until.ts';
import { insertAll, testNow } from '../../store-contract/setting.ts';
import { lastUsed, tally } from '../../store-contract/use/usage.ts';
import { createSetting, type Setting } from '../setting.ts';

const hourMs = 3_600_000;
const neverMs = 10 ** 8;

describe('the use of keys, as several replicas write it', () => {
  it('is one document for each write, and one row of a key and an hour in one document for all of them', async () => {
    const { setting, database, key } = await oneKey();
    const gone = Array.from({ length: 300 }, (_, at) => tally({ id: `key_${at}` } as never, { allowed: 1 }));
    for (let replica = 0; replica < 3; replica++) {
      const store = await opened(setting, neverMs);
      await store.recordUsage([...gone, tally(key, { allowed: 2, lastUsedAt: testNow + replica })]);
      expect(await countIn(database, 'usage_batches')).toBe(replica + 1);
    }
    expect(await countIn(database, 'usage_open')).toBe(0);
    const folder = await opened(setting, 10);
    await until('all of it is folded', async () => (await countIn(database, 'usage_open')) > 0);
    await lastUsed(folder, key, testNow + 2);
    expect(await folder.getUsage(key.id, 0)).toMatchObject([{ allowed: 6, lastUsedAt: testNow + 2 }]);
    // Each was written once, with what all three replicas told of it.
    const [open, ...others] = await database.collection('usage_open').find().toArray();
    expect([open?.rows.length, others.length, await countIn(database, 'usage')]).toEqual([301, 0, 0]);
    await until('nothing is left to fold', () => isFolded(database));
  });

  it('is not lost where the replica stops that has just written it', async () => {
    const { setting, database, key } = await oneKey();
    const store = await opened(setting, neverMs);
    await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow })]);
    await store.close();
    const another = await opened(setting, 10);
    await lastUsed(another, key, testNow);
    await until('nothing is left to fold', () => isFolded(database));
    expect(await another.getUsage(key.id, 0)).toMatchObject([{ allowed: 1 }]);
  });

  it('is folded by another where the replica that has the duty is gone', async () => {
    const { setting, database, key } = await oneKey();
    await holdDuty(database, 1_000);
    const store = await opened(setting, 10);
    await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow })]);
    await lastUsed(store, key, testNow);
  });

  it('is folded by one that starts after both are gone, who wrote it and who has the duty', async () => {
    const { setting, database, key } = await oneKey();
    await holdDuty(database, neverMs);
    const store = await opened(setting, neverMs);
    await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow })]);
    await store.close();
    await holdDuty(database, 3_000);
    await lastUsed(await opened(setting, 10), key, testNow);
  });

  it('is added to what a version before has written, and goes on beside it', async () => {
    const { setting, database, key } = await oneKey();
    const store = await opened(setting, 10);
    const id = `${key.id} ${new Date(testNow).toISOString()}`;
    const written = { hour: new Date(testNow), allowed: 5, denied: { expired: 1 }, addresses: ['192.0.2.1'] };
    await database.collection<{ _id: string }>('usage').insertOne({ _id: id, ...written } as never);
    const allowed = async () => (await store.getUsage(key.id, 0))[0]?.allowed;
    await store.recordUsage([tally(key, { allowed: 1, denied: { expired: 2 } })]);
    await until('what is new is added', async () => (await allowed()) === 6);
    await database
      .collection<{ _id: string }>('usage')
      .updateOne({ _id: id }, [{ $set: { allowed: { $add: ['$allowed', 10] } } }]);
    await store.recordUsage([tally(key, { allowed: 1 })]);
    await until('both are added', async () => (await allowed()) === 17);
    expect(await store.getUsage(key.id, 0)).toEqual([
      tally(key, { allowed: 17, denied: { expired: 3 }, addresses: ['192.0.2.1'] }),
    ]);
  });

  it('does not go by a batch that cannot be read, which spoils itself alone', async () => {
    const { setting, database, key } = await oneKey();
    const errors: unknown[] = [];
    const broken = { tallies: 1, packed: 'rubbish', purge_at: new Date(Date.now() + hourMs) };
    await database
      .collection<{ _id: string }>('usage_batches')
      .insertOne({ _id: '0'.repeat(24), ...broken } as never);
    const store = setting.store({ onBackgroundError: (error) => errors.push(error) });
    await store.open();
    await store.recordUsage([tally(key, { allowed: 1, lastUsedAt: testNow })]);
    await lastUsed(store, key, testNow);
    await until('nothing is left to fold', () => isFolded(database));
    expect(errors.length).toBeGreaterThan(0);
  });
});

describe('a fold', () => {
  it('that was broken off is made again under its number, and counts nothing twice', async () => {
    const { parts, key, store } = await withParts();
    const hours = [0, 1, 2, 3].map((at) => testNow + at * hourMs);
    const tallies = hours.map((hour) => tally(key, { hour, allowed: 1, denied: { revoked: 2 } }));
    await parts.batches.add(tallies);
    const broken = await parts.batches.begin();
    if (broken === null) throw new Error('nothing to fold');
    await parts.hours.add(broken.tallies.slice(0, 2), broken.number);
    const again = await parts.batches.begin();
    expect(again).toEqual(broken);
    await parts.hours.add(broken.tallies, broken.number);
    await parts.batches.end(broken);
    expect(await parts.batches.begin()).toBe(null);
    expect(await store.getUsage(key.id, 0)).toEqual(tallies);
  });

  it('that two make at the same time is counted once, and what comes after it once more', async () => {
    const { parts, key, store } = await withParts();
    const tallies = Array.from({ length: 50 }, (_, at) =>
      tally(key, { hour: testNow + at * hourMs, allowed: 1, addresses: ['192.0.2.1'] }),
    );
    for (let round = 1; round <= 3; round++) {
      await parts.batches.add(tallies);
      const fold = await parts.batches.begin();
      if (fold === null) throw new Error('nothing to fold');
      await Promise.all(Array.from({ length: 4 }, () => parts.hours.add(fold.tallies, fold.number)));
      await Promise.all([parts.batches.end(fold), parts.batches.end(fold)]);
      const found = await store.getUsage(key.id, 0);
      expect(found).toEqual(tallies.map((one) => ({ ...one, allowed: round })));
    }
  });

  it('is begun by one of many that want to, and is of all that is there', async () => {
    const { parts, key } = await withParts();
    for (let batch = 0; batch < 5; batch++) await parts.batches.add([tally(key, { allowed: 1 })]);
    const folds = await Promise.all(Array.from({ length: 6 }, () => parts.batches.begin()));
    const begun = folds.flatMap((fold) => fold ?? []);
    expect(begun.length).toBeGreaterThan(0);
    expect(new Set(begun.map(({ number }) => number)).size).toBe(1);
    expect(begun[0]?.batches).toHaveLength(5);
  });

  it('has a later number than all before, though nothing is known of them any more', async () => {
    const { parts, key, store, database } = await withParts();
    for (const allowed of [1, 2]) {
      await parts.batches.add([tally(key, { allowed: 1 })]);
      const fold = await parts.batches.begin();
      if (fold === null) throw new Error('nothing to fold');
      await parts.hours.add(fold.tallies, fold.number);
      await parts.batches.end(fold);
      expect(await store.getUsage(key.id, 0)).toMatchObject([{ allowed }]);
      await database.collection('usage_batches').deleteMany({});
    }
  });
});

it('who has folded everything for a while gives the duty back, and asks no more', async () => {
  let time = 0;
  let waiting: string[] = [];
  const claims: number[] = [];
  const idle = { step: async () => false };
  const folding = createUsageFolding({
    batches: {
      findLeft: async () => waiting[0] ?? null,
      begin: async () =>
        waiting.length === 0
          ? null
          : {
              ...{ number: 1, batches: waiting, tallies: [] },
              plan: { _id: 'plan', fold: 1, batches: waiting },
            },
      async end() {
        waiting = [];
      },
    },
    write: async () => {},
    ...{ closing: idle, work: idle, giving: { step: async () => ({ folds: 0, merges: 0 }) } },
    duties: {
      async claimDuty(_duty, _holder, forMs) {
        claims.push(forMs);
        return { progress: 0 };
      },
    },
    monotonic: () => time,
    onError: () => {},
    everyMs: 1,
  });
  onTestFinished(() => folding.stop());
  waiting = ['one'];
  folding.wake('one');
  await until('it is folded', () => waiting.length === 0);
  expect(claims).not.toContain(0);
  time += 60_000;
  await until('the duty is given back', () => claims.at(-1) === 0);
  const { length } = claims;
  time += 60_000;
  waiting = ['two'];
  folding.wake('two');
  await until('it is taken on again', () => claims.length > length && waiting.length === 0);
});

async function oneKey() {
  const setting = await createSetting(inject('mongoUri'));
  const store = await opened(setting, neverMs);
  const [key] = await insertAll(store, [{}]);
  if (key === undefined) throw new Error('no key');
  return { setting, store, key, database: setting.client.db() };
}

/** What folds, without a replica that does. */
async function withParts() {
  const { setting, store, key } = await oneKey();
  const database = setting.client.db(undefined, concerns(timeoutsOf()));
  const sessions = createSessions(setting.client, { timeoutMs: 30_000 });
  const onError = (error: unknown) => {
    throw error;
  };
  const plans = createUsagePlans(database, sessions, Date.now);
  const parts = {
    batches: createUsageBatches(database, sessions, {
      plans,
      now: Date.now,
      onError,
    }),
    hours: createUsageHours(database, sessions),
  };
  return { parts, store, key, database };
}

async function opened(setting: Setting, foldEveryMs: number): Promise<Store> {
  const store = setting.store({ foldEveryMs });
  await store.open();
  return store;
}

async function holdDuty(database: Db, ms: number): Promise<void> {
  const $set = { holder: 'gone', until: new Date(Date.now() + ms) };
  await database.collection('duties').updateOne({ _id: 'fold usage' as never }, { $set }, { upsert: true });
}

function countIn(database: Db, name: string): Promise<number> {
  const filter = name === 'usage_batches' ? { packed: { $exists: true } } : {};
  return database.collection(name).countDocuments(filter);
}

async function isFolded(database: Db): Promise<boolean> {
  return (await countIn(database, 'usage_batches')) === 0;
}
