import type { Db } from 'mongodb';
import type { KeyId } from '../../keys/key.ts';
import type { UsageStore, UseListener } from '../../store/usage/usage-store.ts';
import type { UsageTally } from '../../store/usage/usage-tally.ts';
import type { DutyCollection } from '../records/duties.ts';
import type { Sessions } from '../sessions.ts';
import { createUsageBatches } from './batches.ts';
import { createUsageClosing } from './closing.ts';
import { createFoldWrite } from './fold-write.ts';
import { createUsageFolding } from './folding.ts';
import { createHourSlices } from './hour-slices.ts';
import { createUsageHours } from './hours.ts';
import { createOpenUse } from './open/open.ts';
import { createOpenReads } from './open/open-reads.ts';
import { createOpenUpkeep } from './open/open-upkeep.ts';
import { createRunUpkeep } from './open/run-upkeep.ts';
import { ownerRows } from './owners/owner-rows.ts';
import { createOwnerUpkeep } from './owners/owner-upkeep.ts';
import { createUsagePlans } from './plan.ts';
import { createUsageReads, type UsageReads } from './reads.ts';
import { createShareClaims } from './shares/share-claims.ts';
import { createShareGiving } from './shares/share-giving.ts';
import { createShareTaking } from './shares/share-taking.ts';
import { createShareWork } from './shares/share-work.ts';
import { createUsageSumming, type SumUsage } from './sums/summing.ts';
import { createUsageSums } from './sums/sums.ts';
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

export function createUsageCollection(dependencies: UsageCollectionDependencies): UsageCollection {
  const { database, sessions, foldEveryMs: everyMs = foldEveryDefaultMs } = dependencies;
  const hours = createUsageHours(database, sessions);
  const [open, openReads] = [createOpenUse(database, sessions), createOpenReads(database, sessions)];
  const plans = createUsagePlans(database, sessions, dependencies.now);
  const batches = createUsageBatches(database, sessions, { ...dependencies, plans });
  let listener: UseListener = () => {};
  const onFolded: UseListener = (tallies) => listener(tallies);
  const sums = createUsageSums(database, sessions);
  const reads = createUsageReads({ plans, hours, open: openReads });
  const { now } = dependencies;
  const ownersOpen = createOpenUse(database, sessions, ownerRows);
  const ownerReads = createOpenReads(database, sessions, ownerRows);
  const parts = { hours, open, ownersOpen, sums, batches, plans };
  const upkeep = createOpenUpkeep({ ...parts, openReads, now });
  const ownerUpkeep = createOwnerUpkeep({ open: ownersOpen, openReads: ownerReads, plans, now });
  const slices = createHourSlices(database, sessions);
  const closing = createUsageClosing({ ...parts, slices, upkeep, ownerUpkeep, now });
  const write = createFoldWrite({ ...parts, touching: createTouching(dependencies.monotonic), onFolded });
  const claims = createShareClaims(database, sessions);
  const runs = createRunUpkeep({ open, openReads, now });
  const ownerRuns = createRunUpkeep({ open: ownersOpen, openReads: ownerReads, now });
  const shared = { ...parts, claims, runs, ownerRuns, now, onFolded };
  const giving = createShareGiving({ ...shared, taking: createShareTaking(shared) });
  const work = createShareWork(shared);
  const folding = createUsageFolding({ ...dependencies, batches, write, closing, giving, work, everyMs });

  return {
    async record(tallies) {
      if (tallies.length > 0) folding.wake(await batches.add(tallies));
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
