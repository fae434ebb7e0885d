import { describe, expect, inject, it } from 'vitest';
import type { Peer } from '../../../src/mongo/feed/register.ts';
import { createWatchOut } from '../../../src/mongo/feed/watch-out.ts';
import { until } from '../../real/until.ts';
import { keyRecord } from '../../records.ts';
import { nextId, retentionMs } from '../../store-contract/setting.ts';
import { createSetting } from '../setting.ts';

interface Registered {
  readonly _id: string;
  readonly replica_id: string;
  readonly renews: boolean;
  readonly expires_at: Date;
  readonly beaten_at: Date;
  readonly suspected?: { readonly by: string };
  readonly lapsed?: boolean;
}

/** Two open replicas, and one that is registered and says nothing. */
async function withSilent(stalenessMaxMs: number) {
  const setting = await createSetting(inject('mongoUri'));
  const replicas = setting.client.db().collection<Registered>('replicas');
  const [one, other] = [0, 1].map(() => setting.store({ stalenessMaxMs, settleMaxMs: 200 })) as [
    ReturnType<typeof setting.store>,
    ReturnType<typeof setting.store>,
  ];
  await Promise.all([one.open(), other.open()]);
  const silent = { _id: 'silent', replica_id: 'silent', renews: true, beat: 1 };
  const expires_at = new Date(Date.now() + 3_600_000);
  await replicas.insertOne({ ...silent, expires_at, beaten_at: new Date() });
  const insert = () => one.insertKey(keyRecord({ id: nextId() }), retentionMs);
  return { setting, replicas, one, other, insert };
}

describe('a replica that does not answer', () => {
  it('is waited for no more by any process once one has watched it out', async () => {
    const { one, other, insert } = await withSilent(1_000);
    const named = async (store: typeof one) => (await store.settle(await insert())).unconfirmedReplicas;
    expect(await named(one)).toContain('silent');
    await until('it is lapsed', async () => !(await named(one)).includes('silent'));
    expect(await named(other)).not.toContain('silent');
  });

  it('is never taken for lapsed where it registers again meanwhile', async () => {
    const { replicas, one, insert } = await withSilent(1_000);
    await one.settle(await insert());
    const suspected = await until('it is suspected', async () => {
      const found = await replicas.findOne({ _id: 'silent' });
      return found?.suspected && found;
    });
    // As a replica does that registers anew.
    await replicas.updateOne({ _id: 'silent' }, { $unset: { suspected: 1 } });
    await until('another suspicion, or the first has come to nothing', async () => {
      await one.settle(await insert());
      const found = await replicas.findOne({ _id: 'silent' });
      expect(found?.lapsed === true && found.suspected?.by === suspected.suspected?.by).toBe(false);
      return found?.suspected !== undefined && found.suspected.by !== suspected.suspected?.by;
    });
  });

  it('registers again before its next lease when it is there after all, and forgets nothing', async () => {
    const { replicas, other } = await withSilent(1_000);
    const mine = await replicas.findOne({ replica_id: { $ne: 'silent' } });
    await replicas.updateOne({ _id: mine?._id ?? '' }, { $set: { suspected: { by: 'test' }, lapsed: true } });
    await until('it has registered', async () => {
      const found = await replicas.findOne({ _id: mine?._id ?? '' });
      return found?.suspected === undefined && found?.lapsed === undefined;
    });
    await until('it holds its lease', () => other.feed.isFresh());
  });
});

describe('watching a replica out', () => {
  const peer = (runId: string, renews = true): Peer => ({ runId, replicaId: runId, beat: 1, renews });

  it('counts it out a whole lease after it is known to be suspected, and no earlier', async () => {
    let nowMs = 0;
    const suspected = Promise.withResolvers<void>();
    const said: string[] = [];
    const watchOut = createWatchOut({
      fleet: {
        async suspect(runIds) {
          said.push(`suspect ${runIds}`);
          await suspected.promise;
        },
        async countOut() {
          said.push(`count out at ${nowMs}`);
        },
      },
      stalenessMaxMs: 50,
      monotonic: () => nowMs,
      onError(error) {
        throw error;
      },
    });
    watchOut([peer('a'), peer('older', false)]);
    watchOut([peer('a')]);
    nowMs = 1_000;
    suspected.resolve();
    // Timers run meanwhile, by a clock that is not its own.
    for (let turns = 0; turns < 20; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(said).toEqual(['suspect a']);
    }
    nowMs = 1_050;
    await until('it is counted out', () => said.length === 2);
    expect(said).toEqual(['suspect a', 'count out at 1050']);
  });
});

it('a replica writes its beat at each renewal beside one of a version before, which goes by that', async () => {
  const setting = await createSetting(inject('mongoUri'));
  const older = { _id: 'older', replica_id: 'older', beat: 1, expires_at: new Date(Date.now() + 3_600_000) };
  const replicas = setting.client.db().collection<{ _id: string; beat: number }>('replicas');
  await replicas.insertOne(older);
  const store = setting.store({ stalenessMaxMs: 1_000 });
  await store.open();
  const beat = async () => (await replicas.findOne({ _id: { $ne: 'older' } }))?.beat ?? 0;
  const before = await beat();
  await until('it has written three more', async () => (await beat()) >= before + 3);
  await until('it holds its lease', () => store.feed.isFresh());
});

it('a replica that nothing is asked of writes less than once in ten seconds', async () => {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  const store = setting.store();
  await store.open();
  const database = setting.client.db();
  const oplog = setting.client.db('local').collection('oplog.rs');
  const began = performance.now();
  const { operationTime: from } = await database.command({ ping: 1 });
  const lags: number[] = [];
  await until('two renewals of the lease have come and gone', () => {
    lags.push(store.feed.lagMs());
    const renewed = lags.filter((lag, place) => lag < (lags[place - 1] ?? 0)).length;
    return renewed >= 2 && performance.now() - began > 7_000;
  });
  const ours = { ts: { $gt: from }, ns: { $regex: `^${database.databaseName}\\.` } };
  const writes = await oplog.countDocuments(ours);
  // None, unless a slow machine has taken longer than that for two renewals.
  expect(writes).toBeLessThanOrEqual(Math.floor((performance.now() - began) / 10_000));
  await until('it holds its lease', () => store.feed.isFresh());
});
