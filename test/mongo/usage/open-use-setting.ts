import type { Db } from 'mongodb';
import { inject } from 'vitest';
import type { KeyId } from '../../../src/keys/key.ts';
import { concerns, timeoutsOf } from '../../../src/mongo/client.ts';
import { earliest } from '../../../src/mongo/records/keys/records.ts';
import { createSessions, type Sessions } from '../../../src/mongo/sessions.ts';
import { createUsageBatches } from '../../../src/mongo/usage/batches.ts';
import { createUsageClosing } from '../../../src/mongo/usage/closing.ts';
import { createFoldWrite } from '../../../src/mongo/usage/fold-write.ts';
import { createHourSlices } from '../../../src/mongo/usage/hour-slices.ts';
import { createUsageHours } from '../../../src/mongo/usage/hours.ts';
import { createOpenUse } from '../../../src/mongo/usage/open/open.ts';
import { createOpenReads } from '../../../src/mongo/usage/open/open-reads.ts';
import { createOpenUpkeep } from '../../../src/mongo/usage/open/open-upkeep.ts';
import { createRunUpkeep, type UpkeepLimits } from '../../../src/mongo/usage/open/run-upkeep.ts';
import { ownerRows } from '../../../src/mongo/usage/owners/owner-rows.ts';
import { createOwnerUpkeep } from '../../../src/mongo/usage/owners/owner-upkeep.ts';
import { createUsagePlans, type UsagePlans } from '../../../src/mongo/usage/plan.ts';
import { hoursOver } from '../../../src/mongo/usage/plan-hours.ts';
import { createUsageReads } from '../../../src/mongo/usage/reads.ts';
import { createShareClaims } from '../../../src/mongo/usage/shares/share-claims.ts';
import { createShareGiving } from '../../../src/mongo/usage/shares/share-giving.ts';
import { createShareTaking } from '../../../src/mongo/usage/shares/share-taking.ts';
import { createShareWork } from '../../../src/mongo/usage/shares/share-work.ts';
import { createUsageSumming } from '../../../src/mongo/usage/sums/summing.ts';
import { createUsageSums } from '../../../src/mongo/usage/sums/sums.ts';
import type { UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { testNow } from '../../store-contract/setting.ts';
import { createSetting } from '../setting.ts';

/** So few that there are several buckets, and runs are merged in slices, with some hundred tallies. */
const smallLimits = {
  ...{ runsMin: 3, runsMax: 4, mergedRows: 60, settledRows: 60, partRows: 20 },
  ...{ bucketRows: 15, pastBucketRows: 10 },
};

export type Fleet = Awaited<ReturnType<typeof createFleet>>;

/** A database, and processes that fold what is written there; each may end before any of its writes. */
export async function createFleet(limits: UpkeepLimits = smallLimits) {
  const setting = await createSetting(inject('mongoUri'));
  const first = setting.store({ now: () => testNow, foldEveryMs: 10 ** 8 });
  await first.open();
  const database = setting.client.db(undefined, concerns(timeoutsOf()));
  const clock = { now: testNow, isHeld: false };
  const now = () => clock.now;
  const overBefore = () => (clock.isHeld ? earliest : hoursOver(clock.now));
  const parts = partsOf(database, createSessions(setting.client, { timeoutMs: 30_000 }), {
    now,
    overBefore,
    limits,
  });
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
      const pause = { after: Number.POSITIVE_INFINITY, over: Promise.resolve() };
      const sessions = createSessions(setting.client, { timeoutMs: 30_000 });
      const mortal: Sessions = {
        ...sessions,
        write: async (work, options) => {
          if (left-- <= 0) throw new Dead();
          if (pause.after-- <= 0) await pause.over;
          return sessions.write(work, options);
        },
      };
      const parts = partsOf(database, mortal, { now, overBefore, limits });
      return {
        ...parts,
        /** From so many writes on it stands still, until it is resumed. */
        pauseAfter(writes: number): () => void {
          const { promise, resolve } = Promise.withResolvers<void>();
          Object.assign(pause, { after: writes, over: promise });
          return resolve;
        },
        async workOn(rounds: number, endsAfter: number) {
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

interface Fakes {
  readonly now: () => number;
  readonly overBefore: () => number;
  readonly limits: UpkeepLimits;
}

function partsOf(database: Db, sessions: Sessions, { now, overBefore, limits }: Fakes) {
  const onError = (error: unknown) => {
    throw error;
  };
  const plans = createUsagePlans(database, sessions, now);
  const hours = createUsageHours(database, sessions);
  const open = createOpenUse(database, sessions);
  const openReads = createOpenReads(database, sessions);
  const batches = createUsageBatches(database, sessions, {
    ...{ plans, now, overBefore, onError },
    rowsOfBucket: limits.bucketRows,
  });
  const sums = createUsageSums(database, sessions);
  const upkeep = createOpenUpkeep({ hours, open, openReads, sums, plans, now, overBefore, limits });
  const ownersOpen = createOpenUse(database, sessions, ownerRows);
  const ownerReads = createOpenReads(database, sessions, ownerRows);
  const ownerUpkeep = createOwnerUpkeep({
    ...{ open: ownersOpen, openReads: ownerReads, plans, now, overBefore, limits },
  });
  const slices = createHourSlices(database, sessions);
  const done = { plans, batches, hours, slices, upkeep, ownerUpkeep, sums, overBefore };
  const closing = createUsageClosing({ ...done, sliceSize: 50 });
  // Keys' own documents are told of every other one.
  const touching = (all: readonly UsageTally[]) => all.filter((_, at) => at % 2 === 0);
  const write = createFoldWrite({ hours, open, ownersOpen, sums, plans, touching, onFolded() {} });
  const shared = {
    ...{ plans, batches, sums, open, ownersOpen, now, overBefore, onFolded() {} },
    // Nobody has to wait for those that are dead; what two do at the same time is the same.
    claims: createShareClaims(database, sessions, { claimMs: 0 }),
    runs: createRunUpkeep({ open, openReads, now, overBefore, limits }),
    ownerRuns: createRunUpkeep({ open: ownersOpen, openReads: ownerReads, now, overBefore, limits }),
    limits: { tallies: limits.mergedRows, mergedRows: limits.mergedRows, bucketRows: limits.bucketRows },
  };
  const [giving, work] = [
    createShareGiving({ ...shared, taking: createShareTaking(shared) }),
    createShareWork(shared),
  ];
  async function fold(isShared = false): Promise<boolean> {
    const begun = await batches.begin(isShared);
    if (begun === null) return false;
    await write(begun);
    await batches.end(begun);
    return true;
  }
  return {
    ...{ plans, batches, open, openReads, hours, closing, giving, work },
    workOf: (plans: Pick<UsagePlans, 'read'>) => createShareWork({ ...shared, plans }),
    reads: createUsageReads({ plans, hours, open: openReads }),
    sumUsage: createUsageSumming(database, sessions, { plans, now }),
    fold,
    /** Says whether there was something to do. */
    async round(): Promise<boolean> {
      const hasStepped = await closing.step();
      const { folds, merges } = await giving.step();
      const hasFolded = await fold(folds > 0);
      return (await work.step()) || hasFolded || folds + merges > 0 || hasStepped;
    },
  };
}
