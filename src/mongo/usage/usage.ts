import type { Db } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { UsageStore, UseListener } from '../../store/usage/usage-store.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import type { DutyCollection } from '../records/duties.ts';
import type { Sessions } from '../sessions.ts';
import { createUsageFolding } from './folding.ts';
import { createUsageParts } from './parts.ts';
import { createUsageReads, type UsageReads } from './reads.ts';
import { createSteadiness } from './steadiness.ts';
import { createUsageSumming, type SumUsage } from './sums/summing.ts';
import { createTouching } from './touching.ts';

/** What keys were used for. */
export interface UsageCollection {
  /** Durable when it resolves; it is found once it is folded, within seconds. */
  record(tallies: readonly UsageTally[]): Promise<void>;
  /** From the hour that holds `since` on, oldest first. */
  get(key: KeyId, since: number): Promise<UsageTally[]>;
  count: UsageStore['countUse'];
  lastUses: UsageReads['lastUses'];
  toldUntil: UsageReads['toldUntil'];
  /** The listener is told of what this process folds. */
  watch(listener: UseListener): void;
  readonly sum: SumUsage;
  /** Sees to what nobody has folded. */
  start(): void;
  /** Folds what this process has recorded, if it may. */
  stop(): Promise<void>;
}

export interface UsageCollectionDependencies {
  readonly database: Db;
  readonly sessions: Sessions;
  readonly duties: Pick<DutyCollection, 'claimDuty'>;
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;

  /** How long use may wait for more, to be folded together. Default 2 s. */
  readonly foldEveryMs?: number | undefined;
}

const foldEveryDefaultMs = 2_000;
/** After a failure no hour is settled for so many times as long: replicas write what they hold within 10 s, and try again after a failure. */
const steadyRounds = 30;

export function createUsageCollection(dependencies: UsageCollectionDependencies): UsageCollection {
  const { database, sessions, foldEveryMs: everyMs = foldEveryDefaultMs } = dependencies;
  const { now, monotonic, onError } = dependencies;
  let listener: UseListener = () => {};
  const steadiness = createSteadiness(monotonic, steadyRounds * everyMs);
  const parts = createUsageParts(database, sessions, {
    ...{ now, onError, isSteady: steadiness.isSteady, touching: createTouching(monotonic) },
    onFolded: (tallies) => listener(tallies),
  });
  const { plans, hours, batches, openReads } = parts;
  const reads = createUsageReads({ plans, hours, open: openReads });
  const folding = createUsageFolding({
    ...{ ...dependencies, ...parts, everyMs },
    onError(error) {
      steadiness.failed();
      onError(error);
    },
  });

  return {
    async record(tallies) {
      if (tallies.length === 0) return;
      try {
        folding.wake(await batches.add(tallies));
      } catch (error) {
        steadiness.failed();
        throw error;
      }
    },
    ...reads,
    watch(given) {
      listener = given;
    },
    sum: createUsageSumming(database, sessions, { plans, now }),
    start: () => folding.wake(),
    stop: folding.stop,
  };
}
