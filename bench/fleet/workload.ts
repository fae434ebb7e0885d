import type { Decision } from '../../src/check/authorize.ts';
import type { CheckedKey, KeyId } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createLimiter } from '../../src/limits/limiter.ts';
import type { UnitLease, UnitLeaseRequest } from '../../src/store/units.ts';
import type { UsageTally } from '../../src/store/usage/usage-tally.ts';
import { createUsage, writesToFold } from '../../src/usage/usage.ts';
import type { Random } from '../common/random.ts';

/** What a fleet is asked: Zipf's law over all keys, each replica as likely as another. */
export interface Workload {
  readonly keys: number;
  /** Of one replica, each second. */
  readonly checksPerSecond: number;
  readonly limit: number;
  readonly windowMs: number;
  readonly flushMs: number;
}

/** The rank of a key, 1 to `keys`, each as likely as 1 in its rank. */
export function draw(random: Random, keys: number): number {
  return Math.floor(Math.exp((random.below(0x7fff_ffff) / 0x7fff_ffff) * Math.log(keys + 1)));
}

/** Batches that one replica writes of the use of keys in each second, by the real `createUsage`, and keys in them. */
export async function usageWrites(workload: Workload, random: Random) {
  const { keys, checksPerSecond, flushMs } = workload;
  const flushes = 12;
  const counted = { batches: 0, tallies: 0 };
  const store = {
    async recordUsage(tallies: readonly UsageTally[]) {
      counted.batches++;
      counted.tallies += tallies.length;
    },
  };
  const onError = (error: unknown) => {
    throw error;
  };
  const usage = createUsage(
    { store, onError, onDropped() {} },
    { flushMs, talliesMax: 10_000_000, ...writesToFold },
  );
  for (let flush = 0; flush < flushes; flush++) {
    const checks = (checksPerSecond * flushMs) / 1_000;
    for (let sent = 0; sent < checks; sent++)
      usage.record(allowed(draw(random, keys)), '192.0.2.1', flush * flushMs);
    await usage.flush();
  }
  const seconds = (flushes * flushMs) / 1_000;
  return { batches: counted.batches / seconds, tallies: counted.tallies / seconds };
}

/** How many different keys so many Checks are expected to be of, by Zipf's law. */
export function keysUsed({ keys }: Pick<Workload, 'keys'>, checks: number): number {
  const total = Math.log(keys + 1);
  let used = 0;
  // By ranks of about the same frequency.
  for (let rank = 1; rank <= keys; ) {
    const next = Math.min(keys + 1, Math.max(rank + 1, Math.floor(rank * 1.01)));
    used += (next - rank) * (1 - Math.exp(-checks / (total * ((rank + next - 1) / 2))));
    rank = next;
  }
  return used;
}

/** Leases that are asked for, and what becomes of those that a replica takes for the first of a window. */
export interface Leases {
  readonly asked: number;
  readonly begun: number;
  /** Somebody else had begun it. */
  readonly refused: number;
}

export const noLeases: Leases = { asked: 0, begun: 0, refused: 0 };

/**
 * What `replicas` write for limits in one window, by the real `createLimiter` over one ledger, once it has learned from
 * another.
 */
export async function leaseWrites(replicas: number, workload: Workload, random: Random) {
  const { keys, checksPerSecond, limit, windowMs } = workload;
  const ledger = createLedger();
  const limits = limitsOfShort({ limit, windowMs });
  const limiters = Array.from({ length: replicas }, () =>
    createLimiter(ledger, {
      ...{ spendersMax: 10_000_000, allowWhenUnavailable: false, sharers: () => replicas },
    }),
  );
  const checks = (replicas * checksPerSecond * windowMs) / 1_000;
  let waits = 0;
  let before = noLeases;
  for (const start of [0, windowMs]) {
    waits = 0;
    before = ledger.leases();
    for (let sent = 0; sent < checks; sent++) {
      const limiter = limiters[random.below(replicas)];
      const key = { spender: String(draw(random, keys)) as KeyId, owner: null };
      const verdict = limiter?.spend(key, null, limits, 1, start + (sent * windowMs) / checks);
      if (verdict instanceof Promise) waits++;
      await verdict;
    }
  }
  const after = ledger.leases();
  const leases: Leases = {
    asked: after.asked - before.asked,
    begun: after.begun - before.begun,
    refused: after.refused - before.refused,
  };
  return { leases, checks, waits };
}

/** The same, each second and of one of the replicas. */
export async function leasesOfOne(replicas: number, of: Workload, random: Random): Promise<Leases> {
  const { asked, begun, refused } = (await leaseWrites(replicas, of, random)).leases;
  const seconds = (of.windowMs / 1_000) * replicas;
  return { asked: asked / seconds, begun: begun / seconds, refused: refused / seconds };
}

/** How much of a limit is admitted when two of three replicas go quiet after a part of the requests. */
export async function admittedPart(limit: number, random: Random) {
  const ledger = createLedger();
  const limits = limitsOfShort({ limit, windowMs: 60_000 });
  const key = { spender: 'key' as KeyId, owner: null };
  const limiters = Array.from({ length: 3 }, () =>
    createLimiter(ledger, { spendersMax: 1, allowWhenUnavailable: false }),
  );
  const spend = async (at: number) =>
    (await limiters[at]?.spend(key, null, limits, 1, 0))?.isAllowed === true;
  let admitted = 0;
  const mixed = random.below(limit);
  for (let sent = 0; sent < mixed; sent++) admitted += (await spend(random.below(3))) ? 1 : 0;
  while (await spend(0)) admitted++;
  return { part: admitted / limit, leases: ledger.leases().asked };
}

/** Gives out units as a store promises to. */
function createLedger() {
  const leased = new Map<string, number>();
  let leases = noLeases;
  return {
    leases: () => leases,
    async returnUnits() {},
    async leaseUnits({
      spender,
      windowStart,
      isLikelyFirst,
      ...asked
    }: UnitLeaseRequest): Promise<UnitLease> {
      const { limit, units, unitsMin } = asked;
      const window = `${spender} ${windowStart}`;
      const known = leased.get(window);
      leases = {
        asked: leases.asked + 1,
        begun: leases.begun + Number(isLikelyFirst === true && known === undefined),
        refused: leases.refused + Number(isLikelyFirst === true && known !== undefined),
      };
      const before = known ?? 0;
      const granted = limit - before < unitsMin ? 0 : Math.min(units, limit - before);
      leased.set(window, before + granted);
      return { granted, leased: before + granted };
    },
  };
}

function allowed(rank: number): Decision {
  return { verdict: 'allow', key: { id: `key_${rank}` as KeyId } as CheckedKey } as Decision;
}
