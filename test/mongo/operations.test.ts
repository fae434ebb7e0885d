import { describe, expect, inject, it, vi } from 'vitest';
import { BadRecord, StoreUnavailable } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { insertAll, journalDraft, listIds, nextId, retentionMs, testNow } from '../store-contract/setting.ts';
import { profile } from './profile.ts';
import { createSetting, type Setting } from './setting.ts';

async function openStore(dependencies = {}) {
  const setting = await createSetting(inject('mongoUri'));
  const store = setting.store(dependencies);
  await store.open();
  const keys = setting.client.db().collection<{ _id: string }>('keys');
  return { setting, store, keys };
}

/** How many writes of a majority the replica has made before reads. */
async function caughtUp({ client }: Setting): Promise<number> {
  const [replica] = await client.db().collection('replicas').find().toArray();
  return replica?.caught_up ?? 0;
}

describe('several replicas on one database', () => {
  it('open at once on an empty database', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const stores = Array.from({ length: 8 }, () => setting.store());
    await Promise.all(stores.map((store) => store.open()));
    expect(stores.every((store) => store.feed.isFresh())).toBe(true);
  });

  it('read every change whose promise has resolved, on any of them', async () => {
    const { setting, store: one } = await openStore();
    const two = setting.store();
    await two.open();
    for (let version = 1; version <= 20; version++) {
      const key = keyRecord({ id: nextId() });
      await one.insertKey(key, retentionMs);
      expect(await two.findKey([key.digest])).toMatchObject({ version: 1 });
      await two.replaceKey({ ...key, version: 2 }, 1, retentionMs);
      expect(await one.findKey([key.digest])).toMatchObject({ version: 2 });
    }
  });

  it('insert one first key, however many race', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const stores = Array.from({ length: 4 }, () => setting.store());
    await Promise.all(stores.map((store) => store.open()));
    const tries = stores.flatMap((store) => Array<typeof store>(5).fill(store));
    const insert = (store: (typeof stores)[0]) =>
      store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs);
    const answers = await Promise.all(tries.map(insert));
    expect(answers.filter(Boolean)).toHaveLength(1);
    for (const store of stores) expect(await listIds(store)).toHaveLength(1);
  });
});

describe('the first key', () => {
  it('stays the only one when it has been purged', async () => {
    const { store, keys } = await openStore();
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(true);
    await keys.deleteMany({});
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(false);
    expect(await listIds(store)).toEqual([]);
  });

  it('stays the only one when the process died before it had marked it', async () => {
    const { setting, store, keys } = await openStore();
    await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs);
    await setting.client.db().collection('meta').deleteMany({});
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(false);
    await keys.deleteMany({});
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs)).toBe(false);
  });
});

describe('a document that cannot be read', () => {
  for (const damage of [{ permissions: 'admin:write' }, { revoked_at: 'yes' }, { version: null }]) {
    it(`is broken and spoils itself alone: ${JSON.stringify(damage)}`, async () => {
      const onBadRecord = vi.fn();
      const { store, keys } = await openStore({ onBadRecord });
      const [older, damaged, newer] = await insertAll(store, [{}, {}, {}]);
      await keys.updateOne({ _id: damaged?.id ?? '' }, { $set: damage });
      const { id, digest } = keyRecord({ ...damaged });
      await expect(store.getKey(id)).rejects.toThrow(BadRecord);
      await expect(store.findKey([digest])).rejects.toThrow(BadRecord);
      const page = await store.listKeys({ now: testNow }, { before: null, size: 2 });
      expect(page.map((key) => key.id)).toEqual([newer?.id, older?.id]);
      expect(onBadRecord).toHaveBeenCalledExactlyOnceWith(id, expect.any(BadRecord));
    });
  }

  it('is not in the way when it is none of ours', async () => {
    const { setting, store } = await openStore();
    const [key] = await insertAll(store, [{ name: 'ours' }]);
    const stray = { name_folded: 7, permissions: { $where: 1 }, digest: 'stray' };
    await setting.client.db().collection('keys').insertOne(stray);
    expect(await listIds(store)).toEqual([key?.id]);
    expect(await listIds(store, { nameContains: 'our' })).toEqual([key?.id]);
  });
});

describe('the indexes', () => {
  it('are there after open: unique digests, purging by TTL, and what lists need', async () => {
    const { keys } = await openStore();
    const indexes = (await keys.indexes()).map(
      ({ key, unique, expireAfterSeconds, partialFilterExpression }) => ({
        ...{ key, unique, expireAfterSeconds, partialFilterExpression },
      }),
    );
    expect(indexes).toEqual([
      { key: { _id: 1 } },
      { key: { digest: 1 }, unique: true },
      { key: { purge_at: 1 }, expireAfterSeconds: 0 },
      { key: { first: 1 }, unique: true, partialFilterExpression: { first: true } },
      {
        key: { request_key: 1 },
        unique: true,
        partialFilterExpression: { request_key: { $type: 'string' } },
      },
      { key: { owner: 1, _id: 1 } },
      { key: { scheme: 1, _id: -1 } },
      { key: { permissions: 1, _id: -1 } },
      { key: { prefix: 1, _id: -1 } },
      { key: { last4: 1, _id: 1 } },
      { key: { labels_folded: 1, _id: 1 } },
      {
        key: { held_external_id: 1 },
        unique: true,
        partialFilterExpression: { held_external_id: { $gt: '' } },
      },
      { key: { external_id: 1, _id: -1 }, partialFilterExpression: { external_id: { $gt: '' } } },
      { key: { roles: 1, _id: -1 }, partialFilterExpression: { roles: { $gt: '' } } },
      { key: { name_folded: 1, _id: 1 } },
      { key: { last_used_at: 1, _id: 1 } },
      {
        key: { revived_at: 1, _id: 1 },
        partialFilterExpression: { revived_at: { $gte: new Date(-8.64e15) } },
      },
      {
        key: { expires_at: 1, _id: 1 },
        partialFilterExpression: { expires_at: { $gte: new Date(-8.64e15) } },
      },
    ]);
  });

  it('serve each read, which is a majority read no older than what was seen', async () => {
    const { setting, store } = await openStore();
    const others = { owner: 'b', scheme: 't', permissions: ['q'] };
    const [key] = await insertAll(store, [
      { owner: 'a', scheme: 's', permissions: ['p'] },
      ...Array(200).fill(others),
    ]);
    const page = { before: nextId(), size: 10 };
    const profiled = await profile(setting, 'keys', async () => {
      await store.findKey([keyRecord({ ...key }).digest]);
      await store.listKeys({ now: testNow }, page);
      await store.listKeys({ owner: 'a', now: testNow }, page);
      await store.listKeys({ scheme: 's', state: 'active', now: testNow }, page);
      await store.listKeys({ permission: 'p', nameContains: 'key', now: testNow }, page);
      await store.listKeys({ externalId: 'x', now: testNow }, page);
      await store.listKeys({ role: 'r', now: testNow }, page);
      await store.findExternalIds([{ owner: null, externalId: 'x' }]);
      await store.listKeysInOrder(
        { now: testNow },
        { by: 'name', isDescending: true },
        { after: null, size: 5 },
      );
      await store.listKeysInOrder(
        { now: testNow },
        { by: 'owner', isDescending: true },
        { after: null, size: 1 },
      );
    });
    expect(profiled.map(({ planSummary }) => planSummary)).toEqual([
      'IXSCAN { digest: 1 }',
      'IXSCAN { _id: 1 }',
      'IXSCAN { owner: 1, _id: 1 }',
      'IXSCAN { scheme: 1, _id: -1 }',
      'IXSCAN { permissions: 1, _id: -1 }',
      'IXSCAN { external_id: 1, _id: -1 }',
      'IXSCAN { roles: 1, _id: -1 }',
      'IXSCAN { held_external_id: 1 }',
      'IXSCAN { name_folded: 1, _id: 1 }',
      'IXSCAN { owner: 1, _id: 1 }',
    ]);
    for (const { command, hasSortStage } of profiled) {
      expect(command.readConcern).toMatchObject({ level: 'majority', afterClusterTime: expect.anything() });
      expect(hasSortStage).toBe(undefined);
    }
  });

  it('does not look for the keys that are imported, but where one of them is there', async () => {
    const { setting, store } = await openStore();
    const draft = (imported: number) => journalDraft({ action: 'ImportKeys', after: { imported } });
    const [one, two, three] = [1, 2, 3].map(() => keyRecord({ id: nextId() }));
    const free = await profile(setting, 'keys', async () => {
      expect(
        await store.insertKeys(
          [one, two].flatMap((key) => key ?? []),
          retentionMs,
          draft,
        ),
      ).toEqual([]);
    });
    expect(free).toEqual([]);
    const taken = await profile(setting, 'keys', async () => {
      expect(
        await store.insertKeys(
          [two, three].flatMap((key) => key ?? []),
          retentionMs,
          draft,
        ),
      ).toEqual([0]);
    });
    expect(taken).toHaveLength(2);
    const entries = await store.listJournal({}, { order: 'oldest', after: null, size: 10 });
    expect(entries.map(({ after }) => after)).toEqual([{ imported: 2 }, { imported: 1 }]);
  });

  it('asks for a key that is not there once more, after a write by majority', async () => {
    const { setting, store } = await openStore();
    const profiled = await profile(setting, 'keys', async () => {
      expect(await store.findKey([keyRecord().digest])).toBe(null);
    });
    const [first, second] = profiled.map(({ command }) => command.readConcern.afterClusterTime);
    expect(profiled).toHaveLength(2);
    expect(first && second?.greaterThan(first)).toBe(true);
  });

  it('does not let findKey believe a primary that may be an old one, when the lease is not held', async () => {
    let now = testNow;
    const { setting, store } = await openStore({ now: () => now });
    const [key] = await insertAll(store, [{}]);
    now += 15_000;
    expect(store.feed.isFresh()).toBe(false);
    expect(await store.findKey([keyRecord({ ...key }).digest], 'check')).toMatchObject({ id: key?.id });
    expect(await caughtUp(setting)).toBe(1);
  });

  it('reads many keys together when the lease is not held, so that connections are left to renew it by', async () => {
    let now = testNow;
    const { setting, store } = await openStore({ now: () => now });
    const keys = await insertAll(store, Array(300).fill({}));
    now += 15_000;
    const profiled = await profile(setting, 'keys', async () => {
      const found = await Promise.all(
        keys.map((key) => store.findKey([keyRecord({ ...key }).digest], 'check')),
      );
      expect(found.map((each) => each?.id)).toEqual(keys.map(({ id }) => id));
    });
    expect(profiled.length).toBeLessThanOrEqual(6);
    expect(await caughtUp(setting)).toBeLessThanOrEqual(2);
  });

  it('makes findKey StoreUnavailable when the lease ends while it reads', async () => {
    let now = testNow;
    const { store } = await openStore({ now: () => now });
    const [key] = await insertAll(store, [{}]);
    const answer = store.findKey([keyRecord({ ...key }).digest]);
    now += 15_000;
    await expect(answer).rejects.toThrow(StoreUnavailable);
  });
});
