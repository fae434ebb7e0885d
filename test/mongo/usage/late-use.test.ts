import { expect, inject, it, onTestFinished } from 'vitest';
import { concerns, timeoutsOf } from '../../../src/mongo/client.ts';
import { createSessions, type Sessions } from '../../../src/mongo/sessions.ts';
import { createUsageCollection } from '../../../src/mongo/usage/usage.ts';
import { until } from '../../real/until.ts';
import { nextId, testNow } from '../../store-contract/setting.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { createSetting } from '../setting.ts';

const hourMs = 3_600_000;
const foldEveryMs = 10;

it('settles no hour until nothing has failed for a while, so that what an outage held back is folded as any other use', async () => {
  const folder = await oneFolder();
  const { clock, record, isFolded, settled } = folder;
  // It has just begun, it was refused what it wrote when it had nothing to fold, and it could not fold.
  const hours = [async () => {}, folder.failToRecord, folder.failToFold].map((fail, at) => ({
    ...{ fail, hour: testNow + at * hourMs },
  }));
  for (const { fail, hour } of hours) {
    await record(hour);
    await until('it is folded', isFolded);
    await fail();
    clock.now = hour + hourMs + 61_000;
    await record(hour);
    await until('it is folded', isFolded);
    expect(await settled()).toEqual(new Date(hour));
    clock.monotonic += 30 * foldEveryMs;
    await until('the hour is settled', async () => Number(await settled()) > hour);
  }
  // What comes for an hour that is settled is added to a row that was not open, by an update.
  const rows = (await folder.rows()).map(({ hour, allowed, was_open }) => [Number(hour), allowed, was_open]);
  expect(rows).toEqual(hours.map(({ hour }) => [hour, 2, true]));
});

/** A replica that folds alone, by clocks that stand still. */
async function oneFolder() {
  const setting = await createSetting(inject('mongoUri'));
  await setting.store({ foldEveryMs: 10 ** 8 }).open();
  const database = setting.client.db(undefined, concerns(timeoutsOf()));
  const sessions = createSessions(setting.client, { timeoutMs: 30_000 });
  const clock = { now: testNow, monotonic: 0 };
  const [outage, duty] = [{ isOn: false, failures: 0 }, { isHeld: false }];
  const failing = () => {
    if (outage.isOn) throw new Error('an outage');
  };
  const breaking: Sessions = {
    ...sessions,
    async read(work, options) {
      failing();
      return sessions.read(work, options);
    },
    async write(work, options) {
      failing();
      return sessions.write(work, options);
    },
  };
  const usage = createUsageCollection({
    ...{ database, sessions: breaking, foldEveryMs },
    ...{ now: () => clock.now, monotonic: () => clock.monotonic },
    duties: {
      async claimDuty(_duty, _holder, forMs) {
        duty.isHeld = forMs > 0;
        return { progress: 0 };
      },
    },
    onError: () => void outage.failures++,
  });
  onTestFinished(() => usage.stop());
  const key = nextId();
  const batches = database.collection<{ _id: string; settled?: Date }>('usage_batches');
  const record = (hour: number) => usage.record([tally({ id: key }, { hour, allowed: 1 })]);
  return {
    ...{ clock, record },
    async failToRecord() {
      clock.monotonic += 60_000;
      await until('the duty is given back', () => !duty.isHeld);
      outage.isOn = true;
      await expect(record(clock.now)).rejects.toThrow('an outage');
      outage.isOn = false;
    },
    async failToFold() {
      outage.isOn = true;
      await until('it has failed', () => outage.failures > 0);
      outage.isOn = false;
    },
    isFolded: async () => (await batches.countDocuments({ packed: { $exists: true } })) === 0,
    settled: async () => (await batches.findOne({ _id: 'plan' }))?.settled,
    rows: () =>
      database
        .collection('usage')
        .find({}, { sort: { hour: 1 } })
        .toArray(),
  };
}
