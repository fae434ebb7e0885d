import { expect } from 'vitest';
import { createRandom } from '../../../bench/common/random.ts';
import type { KeyId } from '../../../src/keys/key.ts';
import { requestsOf } from '../../../src/store/usage/usage-store.ts';
import { bucketOf, hourMs, type UsageInterval, usageIntervals } from '../../../src/store/usage/usage-sums.ts';
import type { UsageAbout, UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import type { Fleet } from './open-use-setting.ts';

export const about: UsageAbout = { owner: 'acme', plan: null, scheme: 'postern', environment: 'live' };

const owners = ['acme', 'b c', null, ...Array.from({ length: 30 }, (_, at) => `owner-${at}`)];

export function madeUp(seed: number, keys: readonly KeyId[], hour: number, count: number): UsageTally[] {
  const random = createRandom(seed);
  const one = <T>(...of: readonly T[]): T => of[random.below(of.length)] as T;
  return Array.from({ length: count }, () => {
    const allowed = one(0, 1, 1, 3);
    const id = one(...keys);
    // An owner of a key is for good; its plan is not.
    const owned = { ...about, owner: owners[keys.indexOf(id) % owners.length] ?? null };
    return tally(
      { id },
      {
        ...{ hour, allowed, lastUsedAt: allowed > 0 ? hour + random.below(hourMs) : null },
        denied: one<UsageTally['denied']>({}, {}, { expired: 1 }, { rate_limited: 2, revoked: 1 }),
        observed: one({}, {}, {}, { expired: 1 }),
        addresses: one([], ['192.0.2.1'], ['192.0.2.1', '192.0.2.3']),
        about: one(owned, { ...owned, plan: 'gold' }),
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

function addTo(counts: Counts, tally: UsageTally): void {
  const { key, hour, allowed, denied, observed, lastUsedAt, about } = tally;
  const last = `${key} all last`;
  if (lastUsedAt !== null) counts.set(last, Math.max(lastUsedAt, counts.get(last) ?? 0));
  const all = Object.entries({ ...denied }).reduce((sum, [, count]) => sum + count, 0);
  const seen = Object.values(observed).reduce((sum, count) => sum + count, 0);
  for (const [name, count] of Object.entries({ allowed, denied: all, observed: seen })) {
    if (count === 0) continue;
    const ofOwner =
      about === undefined ? [] : usageIntervals.map((interval) => ownerName(interval, about.owner, hour));
    for (const of of [`${key} ${hour}`, `${key} all`, ...ofOwner]) {
      counts.set(`${of} ${name}`, (counts.get(`${of} ${name}`) ?? 0) + count);
    }
  }
}

function ownerName(interval: UsageInterval, owner: string | null, hour: number | null): string {
  return `owner ${owner} ${interval} ${hour === null ? null : bucketOf(interval, hour)}`;
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
  for (const interval of ['hour', 'all'] as const) {
    const found: Counts = new Map();
    for (const sum of await fleet.sumUsage({ ...query, ...page, group: 'key', interval })) {
      for (const [name, count] of countsOf(sum))
        if (count > 0) found.set(`${sum.group} ${sum.start ?? 'all'} ${name}`, count);
    }
    isBetween(found, (name) => !/^owner /.test(name) && / all /.test(name) === (interval === 'all'));
  }
  for (const interval of usageIntervals) {
    const found: Counts = new Map();
    for (const sum of await fleet.sumUsage({ ...query, ...page, group: 'owner', interval })) {
      for (const [name, count] of countsOf(sum))
        if (count > 0) found.set(`${ownerName(interval, sum.group, sum.start)} ${name}`, count);
    }
    isBetween(found, (name) => name.startsWith('owner ') && name.split(' ')[2] === interval);
  }
  const names = [...counts.keys()].filter((name) => !/^owner | all /.test(name));
  const keys = [...new Set(names.map((name) => name.split(' ')[0] as KeyId))];
  const hours = [...new Set(names.map((name) => Number(name.split(' ')[1])))];
  for (const key of keys.slice(0, 5)) {
    const ofKey: Counts = new Map();
    for (const one of await fleet.reads.get(key, 0)) addTo(ofKey, { ...one, about: undefined });
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
