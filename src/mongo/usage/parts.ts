import type { Db } from 'mongodb';
import type { UseListener } from '../../store/usage/usage-store.ts';
import { earliest } from '../records/keys/records.ts';
import type { Sessions } from '../sessions.ts';
import { createUsageBatches } from './batches.ts';
import { createUsageClosing } from './closing.ts';
import { createFoldWrite, type FoldWriteDependencies } from './fold-write.ts';
import { createHourSlices } from './hour-slices.ts';
import { createUsageHours } from './hours.ts';
import { createOpenUse } from './open/open.ts';
import { createOpenReads } from './open/open-reads.ts';
import { createOpenUpkeep } from './open/open-upkeep.ts';
import { createRunUpkeep, type UpkeepLimits } from './open/run-upkeep.ts';
import { ownerRows } from './owners/owner-rows.ts';
import { createOwnerUpkeep } from './owners/owner-upkeep.ts';
import { createUsagePlans } from './plan.ts';
import { hoursOver } from './plan-hours.ts';
import { createShareClaims } from './shares/share-claims.ts';
import { createShareGiving } from './shares/share-giving.ts';
import { createShareTaking } from './shares/share-taking.ts';
import { createShareWork } from './shares/share-work.ts';
import { createUsageSums } from './sums/sums.ts';

export interface UsagePartsOptions {
  readonly now: () => number;
  /** Else no more hours are settled, since use of them may still come. Default always. */
  readonly isSteady?: (() => boolean) | undefined;
  readonly touching: FoldWriteDependencies['touching'];
  readonly onFolded: UseListener;
  readonly onError: (error: unknown) => void;
  readonly limits?: UpkeepLimits | undefined;
}

/** What use is folded by, a step at a time; `UsageFolding` says when. */
export function createUsageParts(
  database: Db,
  sessions: Sessions,
  { now, isSteady = () => true, touching, onFolded, onError, limits }: UsagePartsOptions,
) {
  const overBefore = () => (isSteady() ? hoursOver(now()) : earliest);
  const plans = createUsagePlans(database, sessions, now);
  const hours = createUsageHours(database, sessions);
  const [open, openReads] = [createOpenUse(database, sessions), createOpenReads(database, sessions)];
  const ownersOpen = createOpenUse(database, sessions, ownerRows);
  const ownerReads = createOpenReads(database, sessions, ownerRows);
  const batches = createUsageBatches(database, sessions, { plans, now, overBefore, onError });
  const sums = createUsageSums(database, sessions);
  const parts = { hours, open, ownersOpen, sums, batches, plans, now, overBefore, onFolded };
  const [ofKeys, ofOwners] = [
    { open, openReads, now, overBefore, limits },
    { open: ownersOpen, openReads: ownerReads, now, overBefore, limits },
  ];
  const shared = {
    ...{ ...parts, claims: createShareClaims(database, sessions) },
    ...{ runs: createRunUpkeep(ofKeys), ownerRuns: createRunUpkeep(ofOwners) },
  };
  const upkeep = createOpenUpkeep({ ...parts, ...ofKeys });
  const ownerUpkeep = createOwnerUpkeep({ ...ofOwners, plans });
  const slices = createHourSlices(database, sessions);
  return {
    ...{ plans, hours, batches, openReads },
    write: createFoldWrite({ ...parts, touching }),
    closing: createUsageClosing({ ...parts, slices, upkeep, ownerUpkeep }),
    giving: createShareGiving({ ...shared, taking: createShareTaking(shared) }),
    work: createShareWork(shared),
  };
}
