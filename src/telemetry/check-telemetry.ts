import type { Keyring } from '../cache/keyring.ts';
import type { Decision } from '../check/authorize.ts';
import { Buckets, type CheckCount, createCheckCounts, type LimitCount } from './check-counts.ts';
import { type ConnectionCounts, createConnectionCounts } from './connection-counts.ts';
import { type MisconfiguredCounts, noMisconfigured } from './misconfigured-routes.ts';

/** What is counted where Checks are answered, in plain numbers, until the service asks for it. */
export interface CheckTelemetry {
  /** Of the listener, which counts into it. */
  readonly connections: ConnectionCounts;
  observeDecision(decision: Decision, durationMs: number): void;
  /** The same keyring, with its lookups counted. */
  countLookups(keyring: Keyring): Keyring;
  snapshot(): CheckSnapshot;
}

/** All that was counted since the start, and how much is remembered now. */
export interface CheckSnapshot {
  readonly checks: readonly CheckCount[];
  /** Checks that a limit denied. */
  readonly limited: readonly LimitCount[];
  readonly durations: { readonly counts: readonly number[]; readonly sum: number };
  readonly lookups: { readonly hit: number; readonly miss: number; readonly load: number };
  readonly entries: { readonly key: number; readonly miss: number; readonly owner: number };
  readonly misconfigured: MisconfiguredCounts;
  readonly connections: ConnectionCounts;
}

/** Upper bounds, in seconds, of the buckets of `postern_check_duration_seconds`. */
export const checkBuckets = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
];

export function createCheckTelemetry(): CheckTelemetry {
  const checks = createCheckCounts();
  const durations = new Buckets(checkBuckets);
  const lookups = { hit: 0, miss: 0, load: 0 };
  const misconfigured = noMisconfigured();
  const connections = createConnectionCounts();
  let sizes: Keyring['size'] = () => ({ keys: 0, misses: 0, owners: 0, reads: 0 });

  return {
    connections,
    observeDecision(decision, durationMs) {
      durations.observe(durationMs / 1_000);
      checks.count(decision);
      const judged = decision.verdict === 'observe' ? decision.would : decision;
      if (judged.verdict === 'deny' && judged.misconfigured !== undefined)
        misconfigured[judged.misconfigured.member]++;
    },
    countLookups(keyring) {
      sizes = keyring.size;
      return {
        ...keyring,
        peek(digest) {
          const known = keyring.peek(digest);
          if (known === undefined) lookups.load++;
          else if (known === null) lookups.miss++;
          else lookups.hit++;
          return known;
        },
      };
    },
    snapshot() {
      const { keys, misses, owners } = sizes();
      const { counts, sum } = durations;
      return {
        checks: [...checks.entries()],
        limited: checks.limited(),
        durations: { counts: [...counts], sum },
        lookups: { ...lookups },
        entries: { key: keys, miss: misses, owner: owners },
        misconfigured: { ...misconfigured },
        connections: structuredClone(connections),
      };
    },
  };
}

/** What several have counted together; nothing for none. */
export function sumSnapshots(snapshots: readonly CheckSnapshot[]): CheckSnapshot {
  const { connections: none, ...sum } = createCheckTelemetry().snapshot();
  const [first = { ...sum, connections: none }, ...others] = snapshots;
  return others.reduce(addSnapshots, first);
}

function addSnapshots(one: CheckSnapshot, other: CheckSnapshot): CheckSnapshot {
  return {
    checks: addCounts(one.checks, other.checks),
    limited: addByName(one.limited, other.limited),
    durations: {
      counts: one.durations.counts.map((count, bucket) => count + (other.durations.counts[bucket] ?? 0)),
      sum: one.durations.sum + other.durations.sum,
    },
    lookups: addMembers(one.lookups, other.lookups),
    entries: addMembers(one.entries, other.entries),
    misconfigured: addMembers(one.misconfigured, other.misconfigured),
    connections: {
      open: one.connections.open + other.connections.open,
      closed: addMembers(one.connections.closed, other.connections.closed),
      refused: addMembers(one.connections.refused, other.connections.refused),
    },
  };
}

/** The same of one that has ended, which holds nothing any more. */
export function ended(snapshot: CheckSnapshot): CheckSnapshot {
  const { connections } = snapshot;
  return { ...snapshot, entries: { key: 0, miss: 0, owner: 0 }, connections: { ...connections, open: 0 } };
}

function addCounts(some: readonly CheckCount[], others: readonly CheckCount[]): CheckCount[] {
  const sums = new Map<string, CheckCount>();
  for (const one of [...some, ...others]) {
    const name = JSON.stringify([one.decision, one.reason, one.scheme]);
    sums.set(name, { ...one, count: one.count + (sums.get(name)?.count ?? 0) });
  }
  return [...sums.values()];
}

function addByName(some: readonly LimitCount[], others: readonly LimitCount[]): LimitCount[] {
  const sums = new Map(some);
  for (const [name, count] of others) sums.set(name, count + (sums.get(name) ?? 0));
  return [...sums];
}

function addMembers<Counts extends Readonly<Record<keyof Counts, number>>>(
  one: Counts,
  other: Counts,
): Counts {
  const sums = Object.entries<number>(one).map(([name, count]) => [
    name,
    count + other[name as keyof Counts],
  ]);
  return Object.fromEntries(sums) as Counts;
}
