import { ChangeStream } from 'mongodb';
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { pipeline } from '../../../src/mongo/feed/events.ts';
import { until } from '../../real/until.ts';
import { digestOf, keyRecord } from '../../records.ts';
import { insertAll, journalDraft, nextId, retentionMs } from '../../store-contract/setting.ts';
import { createSetting, listen, type Setting, type Told } from '../setting.ts';

/** Two open replicas on one database; the second one is listened to. */
async function twoReplicas(stalenessMaxMs = 15_000) {
  const setting = await createSetting(inject('mongoUri'));
  const writer = setting.store({ stalenessMaxMs, replicaId: 'writer' });
  const reader = setting.store({ stalenessMaxMs, replicaId: 'reader' });
  const told = listen(reader);
  await Promise.all([writer.open(), reader.open()]);
  return { setting, writer, reader, told, keys: setting.client.db().collection<{ _id: string }>('keys') };
}

/** Waits until the reader was told of a change that is made now: it was then told of all that came before. */
async function allTold(setting: Setting, told: Told): Promise<void> {
  const id = `marker-${nextId()}`;
  await setting.client
    .db()
    .collection<{ _id: string; digest: string }>('keys')
    .insertOne({ _id: id, digest: id });
  await until('the marker was delivered', () => told.times(id) > 0);
}

describe('the change feed', () => {
  it('tells every replica of a new key, with its digest, and of each change of it', async () => {
    const { writer, told } = await twoReplicas();
    const key = keyRecord({ id: nextId() });
    await writer.insertKey(key, retentionMs);
    await until('told of the new key', () => told.times(key.id) === 1);
    expect(told.changes).toContainEqual({ id: key.id, digest: key.digest });
    await writer.replaceKey({ ...key, revokedAt: 1, version: 2 }, 1, retentionMs);
    await until('told of the change', () => told.times(key.id) === 2);
  });

  it('acknowledges a mark only when its subscriber has applied what came before', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const writer = setting.store({ replicaId: 'writer', settleMaxMs: 300 });
    const reader = setting.store({ replicaId: 'reader' });
    let applied = Promise.withResolvers<void>();
    applied.resolve();
    const asked = { times: 0 };
    reader.feed.subscribe({
      ...{ onChange() {}, onRoleChange() {}, onOwnerChange() {}, onGap() {} },
      applied() {
        asked.times++;
        return applied.promise;
      },
    });
    await Promise.all([writer.open(), reader.open()]);
    const settled = async () => (await writer.settle({ at: Date.now() })).unconfirmedReplicas;
    await until('both have begun', async () => (await settled()).length === 0);
    applied = Promise.withResolvers<void>();
    expect(await settled()).toEqual(['reader']);
    const before = asked.times;
    applied.resolve();
    await until('it is acknowledged', async () => (await settled()).length === 0);
    expect(asked.times).toBeGreaterThan(before);
  });

  it('tells every replica of the first key', async () => {
    const { writer, told } = await twoReplicas();
    const key = keyRecord({ id: nextId() });
    await writer.insertFirstKey(key, retentionMs);
    await until('told of it', () => told.changes.some(({ digest }) => digest === key.digest));
  });

  it('tells of each of many changes', async () => {
    const { writer, setting, told } = await twoReplicas();
    const keys = Array.from({ length: 200 }, () => keyRecord({ id: nextId() }));
    await Promise.all(keys.map((key) => writer.insertKey(key, retentionMs)));
    await Promise.all(keys.map((key) => writer.replaceKey({ ...key, version: 2 }, 1, retentionMs)));
    await allTold(setting, told);
    expect(keys.filter((key) => told.times(key.id) !== 2)).toEqual([]);
  });

  it('tells of a key that the TTL index removes', async () => {
    const { writer, told, keys } = await twoReplicas();
    const [key] = await insertAll(writer, [{}]);
    const revoked = keyRecord({ ...key, revokedAt: 1, version: 2 });
    await writer.replaceKey(revoked, 1, 1);
    await until('removed', async () => (await keys.findOne({ _id: revoked.id })) === null);
    await until('told of it', () => told.changes.at(-1)?.id === revoked.id && told.times(revoked.id) === 3);
  });

  it('tells of what somebody changes by hand, but not of a last use', async () => {
    const { setting, writer, told, keys } = await twoReplicas();
    const records = await insertAll(writer, [{}, {}, {}, {}]);
    const [used, disabled, both, gone] = records.map(({ id }) => id as string);
    await allTold(setting, told);
    told.changes.length = 0;
    const change = (_id: string | undefined, update: object) => keys.updateOne({ _id: _id ?? '' }, update);
    await change(used, { $set: { last_used_at: new Date() } });
    await change(disabled, { $set: { disabled_at: new Date() } });
    await change(both, { $set: { last_used_at: new Date(), disabled_at: new Date() } });
    await change(gone, { $set: { last_used_at: new Date() }, $unset: { permissions: 1 } });
    await allTold(setting, told);
    const times = [used, disabled, both, gone].map((id) => told.times(id ?? ''));
    expect(times).toEqual([0, 1, 1, 1]);
  });

  it('tells every replica of both keys of a rotation, and of a new digest with the digest', async () => {
    const { setting, writer, told } = await twoReplicas();
    const [old, made] = [keyRecord({ id: nextId() }), keyRecord({ id: nextId() })];
    await writer.insertKey(old, retentionMs, journalDraft());
    await allTold(setting, told);
    told.changes.length = 0;
    const rotation = { old: { ...old, rotatedTo: made.id, version: 2 }, ifVersion: 1, made };
    await writer.rotateKey(rotation, retentionMs, journalDraft());
    await allTold(setting, told);
    expect([told.times(old.id), told.times(made.id)]).toEqual([1, 1]);
    expect(told.changes).toContainEqual({ id: made.id, digest: made.digest });
    const to = digestOf('another');
    await writer.replaceDigests([{ id: made.id, from: made.digest, to }]);
    await allTold(setting, told);
    expect(told.changes).toContainEqual({ id: made.id, digest: to });
  });

  it('reads nothing of the journal, nor of what stands beside it', async () => {
    const { setting, writer } = await twoReplicas();
    const stream = setting.client.db().watch(pipeline('nobody'));
    onTestFinished(() => stream.close());
    // The stream is there when it has nothing to tell.
    expect(await stream.tryNext()).toBe(null);
    await writer.appendJournal([journalDraft(), journalDraft()]);
    await writer.noteAddresses([{ key: nextId(), address: '192.0.2.1' }]);
    await writer.claimDuty('expiry', 'writer', 60_000);
    const [key] = await insertAll(writer, [{}]);
    expect(await stream.next()).toMatchObject({ documentKey: { _id: key?.id } });
  });

  it('does not read what other replicas register or acknowledge', async () => {
    const { setting, writer } = await twoReplicas(1_000);
    const stream = setting.client.db().watch(pipeline('nobody'));
    onTestFinished(() => stream.close());
    expect(await stream.tryNext()).toBe(null);
    await setting.client
      .db()
      .collection('replicas')
      .updateMany({}, { $set: { suspected: { by: 'test' } } });
    await until('both have registered again', async () => !(await replica(setting, 'writer'))?.suspected);
    const [key] = await insertAll(writer, [{}]);
    expect(await stream.next()).toMatchObject({ documentKey: { _id: key?.id } });
  });

  for (const name of ['keys', 'replicas']) {
    it(`tells of a gap when the collection ${name} is dropped, makes it again and goes on`, async () => {
      const { setting, writer, reader, told } = await twoReplicas();
      await insertAll(writer, [{}]);
      const gaps = told.gaps;
      await setting.client.db().collection(name).drop();
      await until('told of the gap', () => told.gaps > gaps);
      await goesOn(setting, told, reader.feed, writer.feed);
    });
  }

  it('tells of a gap when the database is dropped, makes it again and goes on', async () => {
    const { setting, writer, reader, told } = await twoReplicas();
    const gaps = told.gaps;
    await setting.client.db().dropDatabase();
    await until('told of the gap', () => told.gaps > gaps);
    await goesOn(setting, told, reader.feed, writer.feed);
  });

  it('tells of a gap when the keys are renamed away, or another collection to theirs', async () => {
    const { setting, writer, reader, told, keys } = await twoReplicas();
    let gaps = told.gaps;
    await keys.rename('old');
    await until('told of the gap', () => told.gaps > gaps && reader.feed.isFresh());
    gaps = told.gaps;
    await setting.client.db().collection('old').rename('keys', { dropTarget: true });
    await until('told of the gap', () => told.gaps > gaps);
    await goesOn(setting, told, reader.feed, writer.feed);
  });

  async function goesOn(setting: Setting, told: Told, ...feeds: { isFresh(): boolean }[]): Promise<void> {
    await until('memory may answer again', () => feeds.every((feed) => feed.isFresh()));
    const indexes = await setting.client.db().collection('keys').indexes();
    expect(indexes.map((index) => index.name)).toContain('digest');
    await allTold(setting, told);
  }
});

it('reads nothing more once its store is closed', async () => {
  const { writer, reader } = await twoReplicas();
  const read = vi.spyOn(ChangeStream.prototype, 'tryNext');
  onTestFinished(() => read.mockRestore());
  await Promise.all([writer.close(), reader.close()]);
  // What was under way ends; from then on there is none.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  const before = read.mock.calls.length;
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(read.mock.calls.length).toBe(before);
});

describe('the register of replicas', () => {
  it('holds each replica from before memory may answer until it is closed', async () => {
    const { setting, writer } = await twoReplicas();
    expect(writer.feed.isFresh()).toBe(true);
    expect(await replica(setting, 'writer')).not.toBe(null);
    await writer.close();
    expect(await replica(setting, 'writer')).toBe(null);
    expect(await replica(setting, 'reader')).not.toBe(null);
  });

  it('forgets a replica that is gone long after its last lease, by a TTL index', async () => {
    const { setting } = await twoReplicas();
    const replicas = setting.client.db().collection<{ _id: string }>('replicas');
    expect(await replicas.indexes()).toContainEqual(
      expect.objectContaining({ key: { expires_at: 1 }, expireAfterSeconds: 0 }),
    );
    await replicas.insertOne({ _id: 'gone', ...{ expires_at: new Date(0) } });
    await until('it is forgotten', async () => (await replicas.findOne({ _id: 'gone' })) === null);
    const reader = await replica(setting, 'reader');
    expect(Number(reader?.expires_at) - Number(reader?.beaten_at)).toBe(60_000);
  });

  it('takes the right to answer from a replica that was removed, until it is back', async () => {
    const { setting, reader } = await twoReplicas(2_000);
    await setting.client.db().collection('replicas').deleteMany({ replica_id: 'reader' });
    // Until its next beat has come back, which takes several turns of the event loop, each of which looks.
    await until('memory may not answer', () => !reader.feed.isFresh(), { everyMs: 1 });
    await until('it is back', async () => reader.feed.isFresh() && (await replica(setting, 'reader')));
  });

  it('tells two replicas with the same id apart', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const [one, two] = [setting.store({ replicaId: 'same' }), setting.store({ replicaId: 'same' })];
    await Promise.all([one.open(), two.open()]);
    expect(await setting.client.db().collection('replicas').countDocuments()).toBe(2);
    await two.close();
    expect(await setting.client.db().collection('replicas').countDocuments()).toBe(1);
    expect((await one.settle({ at: Date.now() })).unconfirmedReplicas).toEqual([]);
    expect(one.feed.isFresh()).toBe(true);
  });
});

function replica(setting: Setting, id: string) {
  const replicas = setting.client
    .db()
    .collection<{ beat: number; expires_at: Date; beaten_at: Date; suspected?: unknown }>('replicas');
  return replicas.findOne({ replica_id: id });
}
