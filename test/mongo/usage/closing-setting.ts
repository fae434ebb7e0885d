import type { UpdateFilter } from 'mongodb';
import { inject } from 'vitest';
import { concerns, timeoutsOf } from '../../../src/mongo/client.ts';
import { createSessions } from '../../../src/mongo/sessions.ts';
import { createUsageBatches } from '../../../src/mongo/usage/batches.ts';
import { createUsageClosing } from '../../../src/mongo/usage/closing.ts';
import { createFoldWrite } from '../../../src/mongo/usage/fold-write.ts';
import { createHourSlices } from '../../../src/mongo/usage/hour-slices.ts';
import { createUsageHours } from '../../../src/mongo/usage/hours.ts';
import { createOpenUse } from '../../../src/mongo/usage/open/open.ts';
import { createOpenReads } from '../../../src/mongo/usage/open/open-reads.ts';
import { createOpenUpkeep } from '../../../src/mongo/usage/open/open-upkeep.ts';
import { ownerRows } from '../../../src/mongo/usage/owners/owner-rows.ts';
import { createOwnerUpkeep } from '../../../src/mongo/usage/owners/owner-upkeep.ts';
import { createUsagePlans, type PlanDocument } from '../../../src/mongo/usage/plan.ts';
import { hoursOver } from '../../../src/mongo/usage/plan-hours.ts';
import { createUsageSums, type KnownTally } from '../../../src/mongo/usage/sums/sums.ts';
import type { Store } from '../../../src/store/store.ts';
import { dayMs, hourMs } from '../../../src/store/usage/usage-sums.ts';
import type { UsageTally } from '../../../src/store/usage/usage-tally.ts';
import { until } from '../../real/until.ts';
import { nextId, testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { everything, manyTallies, summed } from '../../store-contract/use/usage-sums.ts';
import { createSetting } from '../setting.ts';
import { madeUp } from './use-model.ts';

export const longAgo = testNow - 60 * dayMs;
/** Six hours in which many keys are used. */
export const busy = testNow - 35 * dayMs + 6 * hourMs;

export async function total(store: Store): Promise<number> {
  return (await store.sumUsage(everything))[0]?.allowed ?? 0;
}

/** A store whose hours from then on are not closed until its clock has come to their end. */
export async function opened(now: number) {
  const clock = { now };
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store({ now: () => clock.now });
  await store.open();
  const sumsOfKeys = (key = '') =>
    setting.client
      .db()
      .collection<{ _id: string }>('usage_sums')
      .countDocuments({ _id: new RegExp(`^key.*${key}$`) });
  const rowsOf = (key: string) =>
    setting.client
      .db()
      .collection<{ _id: string }>('usage')
      .countDocuments({ _id: new RegExp(`^${key}`) });
  return { setting, store, sumsOfKeys, clock, rowsOf };
}

interface Fakes {
  readonly now: () => number;
  readonly close?: (
    tallies: readonly KnownTally[],
    fold: number,
    newFrom: number | undefined,
    close: (tallies: readonly KnownTally[], fold: number, newFrom?: number) => Promise<void>,
  ) => Promise<void>;
}

/** Forty days of use, of which no hour is closed; the test closes them. */
export async function openHours() {
  const { setting, store, sumsOfKeys } = await opened(longAgo);
  const first = tally({ id: nextId() }, { hour: longAgo, allowed: 1 });
  await store.recordUsage([first]);
  await until('the first use is folded', async () => (await total(store)) === 1);
  await setting.client.db().collection('usage_sums').deleteMany({});
  await setting.client.db().collection('usage_open').deleteMany({});
  const reader = setting.store({ now: () => testNow, foldEveryMs: 10 ** 8 });
  await reader.open();
  const keys = Array.from({ length: 60 }, () => nextId());
  const tallies: UsageTally[] = [
    ...manyTallies(),
    ...[0, 1, 2, 5].flatMap((hours) => madeUp(hours, keys, busy + hours * hourMs, 60)),
  ];
  await store.recordUsage(tallies);
  await summed(reader, tallies);
  const database = setting.client.db(undefined, concerns(timeoutsOf()));
  const sessions = createSessions(setting.client, { timeoutMs: 30_000 });
  const onError = (error: unknown) => {
    throw error;
  };
  const parts = ({ now, close }: Fakes) => {
    const plans = createUsagePlans(database, sessions, Date.now);
    const hours = createUsageHours(database, sessions);
    const batches = createUsageBatches(database, sessions, { plans, now, onError });
    const real = createUsageSums(database, sessions);
    const sums = {
      ...real,
      ...(close && {
        close: (some: readonly KnownTally[], fold: number, newFrom?: number) =>
          close(some, fold, newFrom, real.close),
      }),
    };
    const upkeep = createOpenUpkeep({
      ...{ hours, sums, plans, now, overBefore: () => hoursOver(now()) },
      open: createOpenUse(database, sessions),
      openReads: createOpenReads(database, sessions),
    });
    const ownerUpkeep = createOwnerUpkeep({
      ...{ plans, now, overBefore: () => hoursOver(now()) },
      open: createOpenUse(database, sessions, ownerRows),
      openReads: createOpenReads(database, sessions, ownerRows),
    });
    const slices = createHourSlices(database, sessions);
    const dependencies = {
      plans,
      batches,
      upkeep,
      ownerUpkeep,
      hours,
      slices,
      sums,
      overBefore: () => hoursOver(now()),
    };
    return createUsageClosing({ ...dependencies, sliceSize: 30 });
  };
  const plans = database.collection<{ _id: string } & PlanDocument>('usage_batches');
  const plan = () => plans.findOne({ _id: 'plan' });
  const change = (update: UpdateFilter<{ _id: string } & PlanDocument>) =>
    plans.updateOne({ _id: 'plan' }, update);
  // Whoever folds goes on with what others have begun.
  await store.close();
  const record = async (some: readonly UsageTally[]) => {
    const hours = createUsageHours(database, sessions);
    const plans = createUsagePlans(database, sessions, Date.now);
    const batches = createUsageBatches(database, sessions, { plans, now: Date.now, onError });
    const write = createFoldWrite({
      ...{ hours, plans, touching: () => [], onFolded() {} },
      open: createOpenUse(database, sessions),
      ownersOpen: createOpenUse(database, sessions, ownerRows),
      sums: createUsageSums(database, sessions),
    });
    await batches.add(some);
    for (let fold = await batches.begin(); fold !== null; fold = await batches.begin()) {
      await write(fold);
      await batches.end(fold);
    }
  };
  return { store: reader as Store, record, tallies, parts, sumsOfKeys, plan, change };
}
