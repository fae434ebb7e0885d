import type { Db } from 'mongodb';
import { expect, inject } from 'vitest';
import { createRandom } from '../../../bench/common/random.ts';
import type { KeyId } from '../../../src/keys/key.ts';
import { concerns, timeoutsOf } from '../../../src/mongo/client.ts';
import { createSessions, type Sessions } from '../../../src/mongo/sessions.ts';
import { createUsageBatches } from '../../../src/mongo/usage/batches.ts';
import { createUsageClosing } from '../../../src/mongo/usage/closing.ts';
import { createFoldWrite } from '../../../src/mongo/usage/fold-write.ts';
import { createHourSlices } from '../../../src/mongo/usage/hour-slices.ts';
import { createUsageHours } from '../../../src/mongo/usage/hours.ts';
import { createOpenUse } from '../../../src/mongo/usage/open/open.ts';
import { createOpenReads } from '../../../src/mongo/usage/open/open-reads.ts';
import { createOpenUpkeep } from '../../../src/mongo/usage/open/open-upkeep.ts';
import { createUsagePlans } from '../../../src/mongo/usage/plan.ts';
import { createUsageReads } from '../../../src/mongo/usage/reads.ts';
import { createUsageSumming } from '../../../src/mongo/usage/sums/summing.ts';
import { createUsageSums } from '../../../src/mongo/usage/sums/sums.ts';
import { requestsOf } from '../../../src/store/usage/usage-store.ts';
import { hourMs } from '../../../src/store/usage/usage-sums.ts';
import type { UsageAbout, UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { createSetting } from '../setting.ts';

export const about: UsageAbout = { owner: 'acme', plan: null, scheme: 'postern', environment: 'live' };
/** So few that there are several buckets, and runs are merged in slices, with some hundred tallies. */
const limits = { runsMin: 3, runsMax: 4, mergedRows: 60, settledRows: 60, partRows: 20, bucketRows: 15 };

type Fleet = Awaited<ReturnType<typeof createFleet>>;

/** A database, and processes that fold what is written there; each may end before any of its writes. */
export async function createFleet() {
  const setting = await createSetting(inject('mongoUri'));
  const first = setting.store({ now: () => testNow, foldEveryMs: 10 ** 8 });
  await first.open();
  const database = setting.client.db(undefined, concerns(timeoutsOf()));
  const clock = { now: testNow };
  const now = () => clock.now;
  const parts = partsOf(database, createSessions(setting.client, { timeoutMs: 30_000 }), now);
  return {
    clock,
    ...parts,
    database,
    count: (name: string) => database.collection(name).countDocuments(),
    /** As documents that can be told of a last use. */
    async addKeys(keys: readonly KeyId[]) {
      const documents = keys.map((_id) => ({ _id, digest: _id, last_used_at: null }));
      await database.collection<{ _id: string }>('keys').insertMany(documents);
    },
    /** As whoever shows keys does. */
    async shownUses(keys: readonly KeyId[]) {
      const uses = await parts.reads.lastUses(keys);
      const own = database.collection<{ _id: KeyId; last_used_at: Date | null }>('keys');
      const documents = await own.find({ _id: { $in: [...keys] } }).toArray();
      return new Map(
        documents.map(({ _id, last_used_at: told }) => [
          _id,
          Math.max(told?.getTime() ?? 0, uses.get(_id) ?? 0),
        ]),
      );
    },
    isFolded: async () =>
      (await database.collection('usage_batches').countDocuments({ packed: { $exists: true } })) === 0,
    folder() {
      let left = Number.POSITIVE_INFINITY;
      const sessions = createSessions(setting.client, { timeoutMs: 30_000 });
      const mortal: Sessions = {
        ...sessions,
        write: async (work, options) => {
          if (left-- <= 0) throw new Dead();
          return sessions.write(work, options);
        },
      };
      const parts = partsOf(database, mortal, now);
      return {
        ...parts,
        async work(rounds: number, endsAfter: number) {
          left = endsAfter;
          try {
            for (let round = 0; round < rounds; round++) if (!(await parts.round())) break;
          } catch (error) {
            if (!(error instanceof Dead)) throw error;
          }
          left = Number.POSITIVE_INFINITY;
        },
      };
    },
  };
}

class Dead extends Error {}

function partsOf(database: Db, sessions: Sessions, now: () => number) {
  const onError = (error: unknown) => {
    throw error;
  };
  const plans = createUsagePlans(database, sessions, now);
  const hours = createUsageHours(database, sessions);
  const open = createOpenUse(database, sessions);
  const openReads = createOpenReads(database, sessions);
  const batches = createUsageBatches(database, sessions, {
    ...{ plans, now, onError },
    rowsOfBucket: limits.bucketRows,
  });
  const sums = createUsageSums(database, sessions);
  const upkeep = createOpenUpkeep({ hours, open, openReads, sums, plans, now, limits });
  const slices = createHourSlices(database, sessions);
  const closing = createUsageClosing({ plans, batches, hours, slices, upkeep, sums, now, sliceSize: 50 });
  // Keys' own documents are told of every other one.
  const touching = (all: readonly UsageTally[]) => all.filter((_, at) => at % 2 === 0);
  const write = createFoldWrite({ hours, open, sums, plans, touching, onFolded() {} });
  async function fold(): Promise<boolean> {
    const begun = await batches.begin();
    if (begun === null) return false;
    await write(begun);
    await batches.end(begun);
    return true;
  }
  return {
    ...{ plans, batches, open, openReads, hours },
    reads: createUsageReads({ plans, hours, open: openReads }),
    sumUsage: createUsageSumming(database, sessions, { plans, now }),
    fold,
    /** Says whether there was something to do. */
    async round(): Promise<boolean> {
      const hasStepped = await closing.step();
      return (await fold()) || hasStepped;
    },
  };
}

export function madeUp(seed: number, keys: readonly KeyId[], hour: number, count: number): UsageTally[] {
  const random = createRandom(seed);
  const one = <T>(...of: readonly T[]): T => of[random.below(of.length)] as T;
  return Array.from({ length: count }, () => {
    const allowed = one(0, 1, 1, 3);
    return tally(
      { id: one(...keys) },
      {
        ...{ hour, allowed, lastUsedAt: allowed > 0 ? hour + random.below(hourMs) : null },
        denied: one<UsageTally['denied']>({}, {}, { expired: 1 }, { rate_limited: 2, revoked: 1 }),
        observed: one({}, {}, {}, { expired: 1 }),
        addresses: one([], ['192.0.2.1'], ['192.0.2.1', '192.0.2.3']),
        about: one(about, { ...about, plan: 'gold' }),
      },
    );
  });
}

type Counts = Map<string, number>;

/** Plain sums of all that was recorded, and of what was known for sure when it was looked at last. */
export function createModel() {
  const counts: Counts = new Map();
  const model = {
    counts,
    least: new Map() as Counts,
    record(tallies: readonly UsageTally[]) {
      for (const tally of tallies) addTo(counts, tally);
    },
    known() {
      model.least = new Map(counts);
    },
  };
  return model;
}

function addTo(counts: Counts, { key, hour, allowed, denied, observed, lastUsedAt }: UsageTally): void {
  const last = `${key} all last`;
  if (lastUsedAt !== null) counts.set(last, Math.max(lastUsedAt, counts.get(last) ?? 0));
  const all = Object.entries({ ...denied }).reduce((sum, [, count]) => sum + count, 0);
  const seen = Object.values(observed).reduce((sum, count) => sum + count, 0);
  for (const [name, count] of Object.entries({ allowed, denied: all, observed: seen })) {
    if (count === 0) continue;
    for (const of of [`${key} ${hour}`, `${key} all`, 'all']) {
      counts.set(`${of} ${name}`, (counts.get(`${of} ${name}`) ?? 0) + count);
    }
  }
}

/** By every way to read it: never less than what was known for sure, never more than what was recorded. */
export async function expectBetween(fleet: Fleet, model: ReturnType<typeof createModel>): Promise<void> {
  const { least, counts } = model;
  const isBetween = (found: Counts, concerns: (name: string) => boolean) => {
    for (const [name, count] of found) expect([name, count <= (counts.get(name) ?? 0)]).toEqual([name, true]);
    for (const [name, count] of least) {
      // Last uses are looked at by themselves.
      if (concerns(name) && !name.endsWith(' last'))
        expect([name, (found.get(name) ?? 0) >= count]).toEqual([name, true]);
    }
  };
  const query = { since: testNow - 30 * hourMs, until: fleet.clock.now + hourMs, owner: null } as const;
  const page = { order: 'start', size: 100_000, after: null } as const;
  for (const [group, interval] of [
    ['key', 'hour'],
    ['key', 'all'],
    ['owner', 'all'],
  ] as const) {
    const found: Counts = new Map();
    for (const sum of await fleet.sumUsage({ ...query, ...page, group, interval })) {
      const of = group === 'owner' ? 'all' : `${sum.group} ${sum.start ?? 'all'}`;
      for (const [name, count] of countsOf(sum)) if (count > 0) found.set(`${of} ${name}`, count);
    }
    const isMeant = (name: string) =>
      name.startsWith('all ')
        ? group === 'owner'
        : group === 'key' && / all /.test(name) === (interval === 'all');
    isBetween(found, isMeant);
  }
  const names = [...counts.keys()].filter((name) => !/all /.test(name));
  const keys = [...new Set(names.map((name) => name.split(' ')[0] as KeyId))];
  const hours = [...new Set(names.map((name) => Number(name.split(' ')[1])))];
  for (const key of keys.slice(0, 5)) {
    const ofKey: Counts = new Map();
    for (const one of await fleet.reads.get(key, 0)) addTo(ofKey, one);
    isBetween(ofKey, (name) => name.startsWith(`${key} `));
  }
  const counted = new Map<string, number>();
  for (const { key, hour, requests } of await fleet.reads.count(keys, hours)) {
    counted.set(`${key} ${hour}`, requests);
  }
  const lastOf = (from: Counts, key: KeyId) => from.get(`${key} all last`) ?? 0;
  for (const [key, last] of await fleet.shownUses(keys)) {
    expect([key, last >= lastOf(least, key), last <= lastOf(counts, key)]).toEqual([key, true, true]);
  }
  for (const name of keys.flatMap((key) => hours.map((hour) => `${key} ${hour}`))) {
    const of = (from: Counts) =>
      ['allowed', 'denied', 'observed'].reduce((sum, kind) => sum + (from.get(`${name} ${kind}`) ?? 0), 0);
    const requests = counted.get(name) ?? 0;
    expect([name, requests >= of(least), requests <= of(counts)]).toEqual([name, true, true]);
  }
}

function countsOf({ allowed, denied, observed }: Pick<UsageTally, 'allowed' | 'denied' | 'observed'>) {
  const total = (counts: UsageTally['denied']) => requestsOf({ allowed: 0, denied: counts, observed: {} });
  return Object.entries({ allowed, denied: total(denied), observed: total(observed) });
}
