import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { KeyRecord } from '../../../src/keys/key.ts';
import { type Store, StoreUnavailable } from '../../../src/store/store.ts';
import { type Mongo, startReplicaSet } from '../../real/mongod.ts';
import { until } from '../../real/until.ts';
import { keyRecord } from '../../records.ts';
import {
  insertAll,
  journalDraft,
  listChain,
  listIds,
  nextId,
  retentionMs,
} from '../../store-contract/setting.ts';
import { createSetting, foundOnce, listen } from '../setting.ts';

let mongo: Mongo;
const stalenessMaxMs = 15_000;

beforeAll(async () => {
  mongo = await startReplicaSet({ own: true, members: 3 });
});
afterAll(() => mongo?.stop());

async function openStores() {
  const setting = await createSetting(mongo.uri, { fresh: true });
  let aheadMs = 0;
  const given = {
    // A feed begins anew after ten tries without a lease: an election is to be over by then.
    ...{ stalenessMaxMs, monotonic: () => performance.now() + aheadMs, timeouts: { operationMs: 5_000 } },
  };
  const [writer, reader] = [setting.store(given), setting.store(given)];
  const told = listen(reader);
  await mongo.primary();
  await Promise.all([writer.open(), reader.open()]);
  /** So much time passes at once that no beat until now lets memory answer. */
  const endLease = () => {
    aheadMs += stalenessMaxMs;
    expect(reader.feed.isFresh()).toBe(false);
  };
  /** Tries until there is a primary to do it. */
  const insert = async (): Promise<KeyRecord> =>
    until('inserted', async () => {
      const key = keyRecord({ id: nextId() });
      const done = await writer.insertKey(key, retentionMs).catch(onlyUnavailable);
      return done === undefined ? undefined : key;
    });
  return { writer, reader, told, insert, endLease };
}

function onlyUnavailable(error: unknown): undefined {
  if (!(error instanceof StoreUnavailable)) throw error;
}

describe('a replica set of three', () => {
  it('loses no change, and tells of no gap, when its primary is killed', async () => {
    const { reader, told, insert, endLease } = await openStores();
    const gaps = told.gaps;
    const keys = [await insert()];
    const primary = await mongo.primary();
    await primary.kill('SIGKILL');
    onTestFinished(() => primary.restart());
    keys.push(await insert(), await insert());
    await until('told of all', () => keys.every((key) => told.times(key.id) > 0));
    endLease();
    await until('memory may answer again', () => reader.feed.isFresh());
    expect(told.gaps).toBe(gaps);
    for (const key of keys) expect(await foundOnce(reader, [key.digest])).toMatchObject({ id: key.id });
  });

  it.each(['steps down', 'is killed'])(
    'loses no change for replicas that wait for relays, when its primary %s',
    async (how) => {
      const setting = await createSetting(mongo.uri, { fresh: true });
      const given = { stalenessMaxMs, relayedFrom: 1, timeouts: { operationMs: 5_000 } };
      const stores = Array.from({ length: 4 }, () => setting.store(given));
      const told = stores.map(listen);
      const primary = await mongo.primary();
      await Promise.all(stores.map((store) => store.open()));
      const gaps = told.map((one) => one.gaps);
      const insert = () =>
        until('inserted', async () => {
          const key = keyRecord({ id: nextId() });
          const done = await stores[0]?.insertKey(key, retentionMs).catch(onlyUnavailable);
          return done === undefined ? undefined : key;
        });
      const keys = [await insert()];
      if (how === 'is killed') {
        await primary.kill('SIGKILL');
        onTestFinished(() => primary.restart());
      } else {
        await setting.client.db('admin').command({ replSetStepDown: 30, force: true });
      }
      for (let count = 0; count < 10; count++) keys.push(await insert());
      await until('told of all', () => told.every(({ times }) => keys.every(({ id }) => times(id) > 0)));
      expect(told.map((one) => one.gaps)).toEqual(gaps);
      await until('memory answers', () => stores.every(({ feed }) => feed.isFresh()));
    },
  );

  it('keeps the journal one chain, with an entry for each key that is there, when its primary is killed', async () => {
    const { writer, reader } = await openStores();
    const made: KeyRecord[] = [];
    const tried: KeyRecord[] = [];
    let isOver = false;
    const insertOn = async (store: Store) => {
      while (!isOver) {
        const key = keyRecord({ id: nextId() });
        tried.push(key);
        const draft = journalDraft({ target: key.id });
        if (await store.insertKey(key, retentionMs, draft).catch(onlyUnavailable)) made.push(key);
      }
    };
    const all = [writer, writer, writer, reader, reader].map(insertOn);
    await until('some are made', () => made.length > 50);
    const primary = await mongo.primary();
    await primary.kill('SIGKILL');
    onTestFinished(() => primary.restart());
    const before = made.length;
    await until('more are made', () => made.length > before + 50);
    isOver = true;
    await Promise.all(all);
    const [ids, entries] = [await listIds(writer), await listChain(reader)];
    expect(entries.map(({ target }) => target).toSorted()).toEqual(ids.toSorted());
    expect(made.filter(({ id }) => !ids.includes(id))).toEqual([]);
    expect(tried.length).toBeGreaterThanOrEqual(ids.length);
  });

  it('never gives a key from before its revocation while an old primary comes back', async () => {
    const { writer, reader, told, endLease } = await openStores();
    const [key] = await insertAll(writer, [{}]);
    const revoked = keyRecord({ ...key, revokedAt: 1, version: 2 });
    const old = await mongo.primary();
    await old.kill('SIGSTOP');
    onTestFinished(() => old.kill('SIGCONT'));
    await until('another is primary', async () => (await mongo.primary()).port !== old.port);
    await until('revoked', async () => {
      const commit = await writer.replaceKey(revoked, 1, 1e12).catch(onlyUnavailable);
      // Null when a try that had failed was done after all.
      return commit !== undefined;
    });
    await until('told of it', () => told.times(revoked.id) > 0);
    endLease();
    await until('memory may answer', () => reader.feed.isFresh());
    await old.kill('SIGCONT');
    const end = performance.now() + 2_000;
    while (performance.now() < end) {
      const found = await reader.findKey([revoked.digest], 'check').catch(onlyUnavailable);
      expect(found?.revokedAt ?? 1).toBe(1);
    }
  });

  it('without a majority takes no change and lets no memory answer, and takes the change once', async () => {
    const { writer, reader, insert, endLease } = await openStores();
    const primary = await mongo.primary();
    const others = mongo.members.filter((member) => member.port !== primary.port);
    const goOn = () => Promise.all(others.map((member) => member.kill('SIGCONT')));
    await Promise.all(others.map((member) => member.kill('SIGSTOP')));
    onTestFinished(async () => void (await goOn()));
    const key = keyRecord({ id: nextId() });
    await expect(writer.insertKey(key, retentionMs)).rejects.toThrow(StoreUnavailable);
    endLease();
    await expect(reader.findKey([key.digest], 'check')).rejects.toThrow(StoreUnavailable);
    expect(reader.feed.isFresh()).toBe(false);
    await goOn();
    await until('memory may answer again', () => reader.feed.isFresh());
    const after = await insert();
    expect(await foundOnce(reader, [after.digest])).toMatchObject({ id: after.id });
  });
});
