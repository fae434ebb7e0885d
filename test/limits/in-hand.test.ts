import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import type { Limit } from '../../src/keys/limit.ts';
import type { Spender } from '../../src/limits/accounts.ts';
import { createAdvances } from '../../src/limits/advances.ts';
import { Window } from '../../src/limits/counter.ts';
import { createLimiter, type Limiter } from '../../src/limits/limiter.ts';
import { createUnitLedger } from './unit-ledger.ts';

const noon = Date.UTC(2030, 0, 10, 12);
const limit = (given: Partial<Limit>): Limit => ({
  ...{ name: 'default', limit: 60, per: 10_000, sharedBy: 'key' },
  ...given,
});
const monthly = limit({ name: 'monthly', limit: 9, per: 'month' });
const byOwner = limit({ name: 'ours', limit: 70, sharedBy: 'owner' });
/** Lists that keys share in memory, so that the same list is the same object. */
const lists: readonly (readonly Limit[])[] = [
  ...[[limit({})], [limit({ limit: 50 })], [limit({ per: 20_000 })], [byOwner], [monthly]],
  [limit({}), byOwner],
  [limit({ name: 'ours', per: 'day', sharedBy: 'owner' }), monthly],
];
const owners = [null, { billingAnchor: null }, { billingAnchor: Date.UTC(2030, 0, 10, 11, 59) }];

const steps = fc.array(
  fc.record({
    key: fc.nat(4),
    // Mostly the same, as it is.
    list: fc.oneof(
      { arbitrary: fc.constant(0), weight: 3 },
      { arbitrary: fc.nat(lists.length - 1), weight: 2 },
    ),
    owner: fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, { arbitrary: fc.nat(2), weight: 1 }),
    cost: fc.oneof({ arbitrary: fc.constant(1), weight: 4 }, { arbitrary: fc.nat(30), weight: 1 }),
    passesMs: fc.constantFrom(0, 0, 0, 1, 4_000, 9_000, 10_000, 60_000, 86_400_000, -3_000, -60_000),
    /** By which of two replicas: a key is one object for both here. */
    replica: fc.oneof({ arbitrary: fc.constant(0), weight: 5 }, { arbitrary: fc.constant(1), weight: 1 }),
  }),
  { minLength: 1, maxLength: 60 },
);

it('A key that has its counters in hand spends as one whose counters are looked for, whatever changes', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 1, max: 8 }), async (asked, spendersMax) => {
      const [inHand, lookedFor] = [replicasOn(spendersMax), replicasOn(spendersMax)];
      const held = spenders().map((key): Spender => ({ ...key, account: null }));
      let now = noon;
      for (const { key, list, owner, cost, passesMs, replica } of asked) {
        now += passesMs;
        const limits = lists[list] as readonly Limit[];
        const spend = async (limiters: readonly Limiter[], one: Spender) => {
          const limiter = limiters[replica] as Limiter;
          const verdict = await limiter.spend(one, owners[owner] ?? null, limits, cost, now);
          return { ...verdict, standings: verdict.standings().map((standing) => ({ ...standing })) };
        };
        const expected = await spend(lookedFor, spenders()[key] as Spender);
        expect(await spend(inHand, held[key] as Spender)).toEqual(expected);
      }
    }),
    { numRuns: 500 },
  );
});

it('A key that comes into memory after it was asked for first has its window in hand from then on', async () => {
  const [limiter] = replicasOn(8) as [Limiter];
  const limits = [limit({})];
  const [unheld] = spenders() as [Spender];
  await limiter.spend(unheld, null, limits, 1, noon);

  const held: Spender = { ...unheld, account: null };
  const verdict = await limiter.spend(held, null, limits, 1, noon);

  expect(verdict.standings()).toMatchObject([{ remaining: 58 }]);
  expect(held.account).toBeInstanceOf(Window);
});

/** The second goes on spending what the first does; two have one owner. */
function spenders(): Spender[] {
  const names = [
    ['key_1', null],
    ['key_1', 'acme'],
    ['key_2', 'acme'],
    ['key_3', 'acme'],
    ['key_4', null],
  ] as const;
  return names.map(([spender, owner]) => ({ spender: spender as KeyId, owner }));
}

function replicasOn(spendersMax: number): Limiter[] {
  const ledger = createUnitLedger();
  const shared = { spendersMax, allowWhenUnavailable: false, sharers: () => 2, leasesAhead: true };
  return [
    createLimiter(ledger, { ...shared, advances: createAdvances(ledger) }),
    createLimiter(ledger, shared),
  ];
}
