import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyId, KeyRecord } from '../../../src/keys/key.ts';
import type { Store } from '../../../src/store/store.ts';
import { addReasons } from '../../../src/store/usage/usage-ranking.ts';
import {
  bucketOf,
  dayMs,
  hourMs,
  type UsagePlace,
  type UsageQuery,
  type UsageSum,
  usageGroups,
  usageIntervals,
  usageOrders,
} from '../../../src/store/usage/usage-sums.ts';
import type { UsageAbout, UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { until } from '../../real/until.ts';
import { ownerRecord } from '../../records.ts';
import type { CreateStore } from '../../store-contract.ts';
import { insertAll, nextId, opened, testNow } from '../setting.ts';
import { tally } from './usage.ts';

/** What keys were used for, added up by what they were. */
export function usageSumContract(createStore: CreateStore): void {
  it('adds up use by every group and interval, in every order, as a plain sum of what was recorded does', async () => {
    const { store } = await opened(createStore);
    const tallies = manyTallies();
    for (let start = 0; start < tallies.length; start += 60)
      await store.recordUsage(tallies.slice(start, start + 60));
    await summed(store, tallies);
    await expectPlainSums(store, tallies);
  });

  it('gives page after page, each sum once and in order', async () => {
    const { store } = await opened(createStore);
    const tallies = manyTallies();
    await store.recordUsage(tallies);
    await summed(store, tallies);
    for (const group of ['owner', 'key', 'none', 'plan'] as const) {
      for (const order of usageOrders) {
        for (const interval of ['day', 'all', 'month'] as const) {
          const query = { ...everything, group, order, interval };
          const pages: UsageSum[] = [];
          for (let after: UsagePlace | null = null; ; ) {
            const page = await store.sumUsage({ ...query, size: 13, after });
            pages.push(...page);
            const last = page.at(-1);
            if (last === undefined) break;
            after = { ...last, denials: totalOf(last.denied) };
          }
          expect(pages).toEqual(plainSums(tallies, query));
        }
      }
    }
  });

  it('keeps use under the plan that held, and takes a key for what it is where nobody says what it was', async () => {
    const { store } = await opened(createStore);
    await store.putOwner(ownerRecord({ id: 'acme', plan: 'gold', version: 1 }), 0);
    const [plain, own] = (await insertAll(store, [
      { owner: 'acme', scheme: 'mavera', environment: 'test' },
      { owner: 'acme', scheme: 'postern', plan: 'free' },
    ])) as [KeyRecord, KeyRecord];
    const about = { owner: 'acme', plan: 'old', scheme: 'mavera', environment: 'test' };
    const gone = tally({ ...plain, id: nextId() }, { allowed: 5 });
    const tallies = [
      tally(plain, { allowed: 1, about }),
      tally(plain, { allowed: 2, about: { ...about, plan: null } }),
      tally(plain, { allowed: 3 }),
      tally(own, { allowed: 4 }),
      gone,
    ];
    await store.recordUsage(tallies);
    await summed(store, tallies);
    const by = async (group: UsageQuery['group'], owner: string | null = null) =>
      (await store.sumUsage({ ...everything, group, owner })).map(({ group, allowed }) => [group, allowed]);
    expect(await by('plan')).toEqual([
      [null, 7],
      ['free', 4],
      ['gold', 3],
      ['old', 1],
    ]);
    expect(await by('plan', 'acme')).toEqual([
      ['free', 4],
      ['gold', 3],
      [null, 2],
      ['old', 1],
    ]);
    expect(await by('scheme')).toEqual([
      ['mavera', 6],
      [null, 5],
      ['postern', 4],
    ]);
    expect(await by('environment', 'acme')).toEqual([
      ['test', 6],
      ['live', 4],
    ]);
    expect(await by('owner')).toEqual([
      ['acme', 10],
      [null, 5],
    ]);
    expect(await by('key', 'acme')).toEqual([
      [plain.id, 6],
      [own.id, 4],
    ]);
    expect(await store.sumUsage({ ...everything, group: 'none', owner: 'nobody' })).toEqual([]);
  });

  it('loses none of what many record at once', async () => {
    const { store } = await opened(createStore);
    const [key] = (await insertAll(store, [{}])) as [KeyRecord];
    const some = [tally(key, { allowed: 1, denied: { expired: 2 }, about: abouts[0] })];
    await Promise.all(Array.from({ length: 40 }, () => store.recordUsage(some)));
    await summed(store, Array.from({ length: 40 }, () => some).flat());
    expect(await store.sumUsage({ ...everything, group: 'owner' })).toEqual([
      { group: 'acme', start: null, allowed: 40, denied: { expired: 80 }, observed: {} },
    ]);
  });
}

/** By random queries, and by each interval of all keys. */
export async function expectPlainSums(
  store: Store,
  tallies: readonly UsageTally[],
  numRuns = 60,
): Promise<void> {
  for (const interval of usageIntervals) {
    const query = { ...everything, group: 'key', interval, since: testNow - 41 * dayMs } as const;
    expect(await store.sumUsage(query)).toEqual(plainSums(tallies, query));
  }
  const times = [0, 40 * dayMs, 31 * dayMs, 30 * dayMs + 5 * hourMs, 3 * dayMs + 1, hourMs, 0].map(
    (ago) => testNow - ago,
  );
  const queries = fc.record({
    group: fc.constantFrom(...usageGroups),
    interval: fc.constantFrom(...usageIntervals),
    since: fc.constantFrom(...times),
    until: fc.constantFrom(...times, testNow + dayMs),
    owner: fc.constantFrom(null, 'acme', 'b c', 'nobody'),
    order: fc.constantFrom(...usageOrders),
    size: fc.constantFrom(1, 7, 10_000),
    after: fc.constant(null),
  });
  await fc.assert(
    fc.asyncProperty(queries, async (query) => {
      expect(await store.sumUsage(query)).toEqual(plainSums(tallies, query));
    }),
    { numRuns, endOnFailure: true },
  );
}

export const everything = {
  ...({ group: 'none', interval: 'all', since: 0, until: testNow + dayMs, owner: null } as const),
  ...({ order: 'allowed', size: 100_000, after: null } as const),
} satisfies UsageQuery;

const abouts: UsageAbout[] = [
  { owner: 'acme', plan: 'gold', scheme: 'postern', environment: 'live' },
  { owner: 'acme', plan: 'free', scheme: 'postern', environment: 'live' },
  { owner: 'acme corp', plan: 'gold', scheme: 'mavera', environment: 'test' },
  { owner: 'b c', plan: null, scheme: 'postern', environment: 'test' },
  { owner: null, plan: null, scheme: 'mira', environment: 'live' },
];

/** Of 12 keys in the 40 days before now, some of them within one hour, always the same. */
export function manyTallies(): UsageTally[] {
  const keys = Array.from({ length: 12 }, () => nextId());
  return Array.from({ length: 240 }, (_, at): UsageTally => {
    const hour = testNow - ((at * 7_919) % (40 * 24)) * hourMs;
    const key = keys[(at * 5) % keys.length] as KeyId;
    const owned = (at * 5) % keys.length;
    // An owner of a key is for good; its plan is not.
    const about = abouts[owned < 4 ? at % 2 : 2 + (owned % 3)] as UsageAbout;
    return {
      ...{ key, hour, allowed: (at * 31) % 97, lastUsedAt: hour, addresses: [], about },
      denied: at % 3 === 0 ? { expired: 1 + (at % 5), rate_limited: 1 } : {},
      observed: at % 7 === 0 ? { missing: 1 } : {},
    };
  });
}

/** Waits until all of them are in the sums. */
export async function summed(store: Store, tallies: readonly UsageTally[]): Promise<void> {
  const total = tallies.reduce((sum, { allowed }) => sum + allowed, 0);
  await until('all use is added up', async () => {
    const [sum] = await store.sumUsage(everything);
    const byKey = await store.sumUsage({
      ...everything,
      group: 'key',
      interval: 'hour',
      since: testNow - 60 * dayMs,
    });
    return sum?.allowed === total && byKey.reduce((all, { allowed }) => all + allowed, 0) === total;
  });
}

/** What the contract says in as few words. */
function plainSums(tallies: readonly UsageTally[], query: UsageQuery): UsageSum[] {
  const { group, interval, since, owner, order, size } = query;
  const sums = new Map<string, UsageSum>();
  for (const { key, hour, allowed, denied, observed, about } of tallies) {
    if (hour + hourMs <= since || hour >= query.until) continue;
    if (owner !== null && about?.owner !== owner) continue;
    const named = group === 'none' ? null : group === 'key' ? key : (about?.[group] ?? null);
    const start = bucketOf(interval, hour);
    const name = JSON.stringify([named, start]);
    const sum = sums.get(name) ?? { group: named, start, allowed: 0, denied: {}, observed: {} };
    sums.set(name, {
      ...sum,
      allowed: sum.allowed + allowed,
      denied: addReasons(sum.denied, denied),
      observed: addReasons(sum.observed, observed),
    });
  }
  const rank = (sum: UsageSum) => (order === 'denied' ? totalOf(sum.denied) : sum.allowed);
  return [...sums.values()]
    .sort((one, other) => {
      const byRank = rank(other) - rank(one);
      const byStart = (other.start ?? 0) - (one.start ?? 0);
      const byGroup = (one.group ?? '') < (other.group ?? '') ? -1 : 1;
      return (order === 'start' ? byStart || byRank : byRank || byStart) || byGroup;
    })
    .slice(0, size);
}

function totalOf(counts: UsageSum['denied']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
