import { type ClientSession, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventId } from '../../src/journal/journal.ts';
import type { MongoStoreDependencies } from '../../src/mongo/connection.ts';
import { DuplicateKey, type Store, StoreUnavailable } from '../../src/store/store.ts';
import { type Mongo, startReplicaSet } from '../real/mongod.ts';
import { earlierThan, until } from '../real/until.ts';
import { keyRecord } from '../records.ts';
import {
  insertAll,
  journalDraft,
  listChain,
  listIds,
  nextId,
  retentionMs,
} from '../store-contract/setting.ts';
import { failCommands, isEntered } from './faults/fail-point.ts';
import { profile } from './profile.ts';
import { createSetting, type Setting } from './setting.ts';

let mongo: Mongo;

beforeAll(async () => {
  mongo = await startReplicaSet({ own: true, args: ['--setParameter', 'enableTestCommands=1'] });
});
afterAll(() => mongo?.stop());

async function openStore(dependencies: Partial<MongoStoreDependencies> = {}) {
  const setting = await createSetting(mongo.uri, { fresh: true });
  const store = setting.store(dependencies);
  await store.open();
  return { setting, store, database: setting.client.db() };
}

/** A store whose calls end soon, for those that are to fail, and one that waits for a busy machine. */
async function openWithHasty() {
  const { setting, store } = await openStore();
  const hasty = setting.store({ timeouts: { operationMs: 5_000 } });
  await hasty.open();
  return { setting, store, hasty };
}

/** Inserts a key with an entry that names it. */
async function insert(store: Store) {
  const key = keyRecord({ id: nextId() });
  await store.insertKey(key, retentionMs, journalDraft({ action: 'CreateKey', target: key.id }));
  return key.id;
}

/** The targets of the journal, which is one chain. */
const targets = async (store: Store) => (await listChain(store)).map(({ target }) => target);

describe('a change and its entry', () => {
  it('are made once when the answer to the commit is lost', async () => {
    const { setting, store } = await openStore();
    // The commit is made, and answered with an error.
    const writeConcernError = { code: 91, errmsg: 'shutting down', errorLabels: ['RetryableWriteError'] };
    await failCommands(setting, { failCommands: ['commitTransaction'], writeConcernError }, { times: 2 });
    const id = await insert(store);
    expect(await isEntered(setting)).toBe(true);
    expect(await listIds(store)).toEqual([id]);
    expect(await targets(store)).toEqual([id]);
  });

  for (const failure of [{ errorCode: 112 }, { errorCode: 11602 }, { closeConnection: true }]) {
    it(`are made once when what comes before the commit fails: ${JSON.stringify(failure)}`, async () => {
      const { setting, store, database } = await openStore();
      await insert(store);
      const namespace = `${database.databaseName}.journal`;
      const labels = { errorLabels: ['TransientTransactionError'] };
      await failCommands(
        setting,
        { failCommands: ['insert'], namespace, ...failure, ...labels },
        { times: 3 },
      );
      const id = await insert(store);
      expect(await listIds(store)).toHaveLength(2);
      expect((await targets(store)).slice(1)).toEqual([id]);
    });
  }

  it('are both there or both not when nobody can say whether they were made', async () => {
    const { setting, store, hasty } = await openWithHasty();
    await insert(store);
    const writeConcernError = { code: 64, errmsg: 'waiting for replication timed out' };
    const stop = await failCommands(setting, { failCommands: ['commitTransaction'], writeConcernError });
    await expect(earlierThan(20_000, () => insert(hasty))).rejects.toThrow(StoreUnavailable);
    await stop();
    const last = await insert(store);
    expect(await listIds(store)).toEqual((await targets(store)).reverse());
    expect((await targets(store)).at(-1)).toBe(last);
  });

  it('are both not there when the journal refuses the entry, and Checks go on', async () => {
    const { store, database } = await openStore();
    const [key = keyRecord()] = await insertAll(store, [{}]);
    await database.command({ collMod: 'journal', validator: { $expr: false } });
    const draft = journalDraft();
    const made = keyRecord({ id: nextId() });
    const changes = [
      store.insertKey(made, retentionMs, draft),
      store.insertFirstKey(made, retentionMs, draft),
      store.insertKeys([made], retentionMs, () => draft),
      store.replaceKey({ ...key, version: 2 }, 1, retentionMs, draft),
      store.rotateKey({ old: { ...key, version: 2 }, ifVersion: 1, made }, retentionMs, draft),
      store.appendJournal([draft]),
    ];
    for (const { status, reason } of (await Promise.allSettled(changes)) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).not.toBeInstanceOf(DuplicateKey);
    }
    expect(await listIds(store)).toEqual([key.id]);
    expect(await store.findKey([key.digest])).toMatchObject({ version: 1 });
    expect(store.feed.isFresh()).toBe(true);
    await database.command({ collMod: 'journal', validator: {} });
    expect(await targets(store)).toEqual([]);
    expect(await store.insertFirstKey(made, retentionMs, draft)).toBe(true);
  });

  it('of the first key are made once, and finished by another call, when the answer is lost', async () => {
    const { setting, store, hasty } = await openWithHasty();
    const writeConcernError = { code: 64, errmsg: 'waiting for replication timed out' };
    const stop = await failCommands(setting, { failCommands: ['commitTransaction'], writeConcernError });
    const key = keyRecord({ id: nextId() });
    const draft = journalDraft({ target: key.id });
    await expect(hasty.insertFirstKey(key, retentionMs, draft)).rejects.toThrow(StoreUnavailable);
    await stop();
    // The replica itself remembers that it had begun.
    expect(await hasty.insertFirstKey(key, retentionMs, draft)).toBe(true);
    expect(await hasty.insertFirstKey(key, retentionMs, draft)).toBe(false);
    expect(await targets(store)).toEqual([key.id]);
  });
});

describe('changes of several replicas', () => {
  it('make one chain, of which a reader sees no entry before those that precede it', async () => {
    const { setting, store: one } = await openStore();
    const [two, reader] = [setting.store(), setting.store()];
    await Promise.all([two.open(), reader.open()]);
    const made = Promise.all(Array.from({ length: 120 }, (_, index) => insert([one, two][index % 2] ?? one)));
    const seen: number[] = [];
    for (let isOver = false; !isOver; isOver = seen.length >= 120) {
      const page = { order: 'oldest', after: seen.at(-1) ?? null, size: 7 } as const;
      seen.push(...(await reader.listJournal({}, page)).map(({ sequence }) => sequence));
    }
    expect(seen).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
    expect((await targets(reader)).toSorted()).toEqual((await made).toSorted());
  });

  it('insert each of the same keys once, whoever is first', async () => {
    const { setting, store: one } = await openStore();
    const two = setting.store();
    await two.open();
    for (let round = 0; round < 5; round++) {
      const records = Array.from({ length: 40 }, () => keyRecord({ id: nextId() }));
      const halves = [records, records.toReversed()].map((all) => all.slice(0, 30));
      const [ofOne = [], ofTwo = []] = await Promise.all(
        [one, two].map((store, place) =>
          store.insertKeys(halves[place] ?? [], retentionMs, (count) => journalDraft({ after: count })),
        ),
      );
      expect(60 - ofOne.length - ofTwo.length).toBe(40);
    }
    expect(await listIds(one)).toHaveLength(200);
    const counts = (await listChain(two)).map(({ after }) => Number(after));
    expect(counts.reduce((sum, count) => sum + count)).toBe(200);
  });

  it('do not wait long for one that was killed in the middle of its transaction', async () => {
    const { setting, store, database } = await openStore();
    const left = await lockJournal(setting);
    // What is left of the other in the register.
    const replica = { transactions: left.id, expires_at: new Date(Date.now() + 60_000) };
    await database.collection('replicas').insertOne(replica);
    await insert(store);
    expect(await listChain(store)).toHaveLength(1);
    await expect(left.commitTransaction()).rejects.toThrow('aborted');
  });

  it('do not end a transaction of somebody else', async () => {
    const { setting, store, hasty } = await openWithHasty();
    const left = await lockJournal(setting);
    await expect(insert(hasty)).rejects.toThrow(StoreUnavailable);
    await left.commitTransaction();
    await insert(store);
    expect(await listChain(store)).toHaveLength(1);
  });

  /** A transaction of another process, in which nothing happens any more. */
  async function lockJournal(setting: Setting): Promise<ClientSession> {
    const client = await new MongoClient(setting.uri).connect();
    onTestFinished(() => client.close());
    const session = client.startSession();
    session.startTransaction();
    const heads = client.db().collection<{ _id: string }>('meta');
    await heads.updateOne({ _id: 'journal_head' }, { $inc: { locks: 1 } }, { session });
    return session;
  }
});

describe('the end of the journal', () => {
  it('is found by its last entry when what says so was lost', async () => {
    const { store, database } = await openStore();
    await insert(store);
    await database.collection<{ _id: string }>('meta').deleteOne({ _id: 'journal_head' });
    await insert(store);
    expect(await listChain(store)).toHaveLength(2);
  });

  it('is where it was when every entry has passed its retention', async () => {
    const { setting, store, database } = await openStore({ journalRetentionMs: 1 });
    await insert(store);
    await until('it is gone', async () => (await database.collection('journal').countDocuments()) === 0);
    const keeper = setting.store();
    await keeper.open();
    await insert(keeper);
    const [entry] = await keeper.listJournal({}, { order: 'newest', after: null, size: 10 });
    expect(entry).toMatchObject({ sequence: 2 });
    expect(entry?.previousHash).toMatch(/[1-9a-f]/);
  });

  it('is no DuplicateKey, and changes nothing, where the journal goes on past it', async () => {
    const { store, database } = await openStore();
    await insert(store);
    await database.collection<{ _id: number }>('journal').insertOne({ _id: 2 });
    const ids = await listIds(store);
    await expect(insert(store)).rejects.toThrow('the journal goes on after');
    expect(await listIds(store)).toEqual(ids);
  });
});

describe('the queue of changes', () => {
  it('takes so many and no more, and makes all that it took', async () => {
    const { setting, store } = await openStore();
    await failCommands(
      setting,
      { failCommands: ['commitTransaction'], blockConnection: true, blockTimeMS: 500 },
      { times: 1 },
    );
    const drafts = Array.from({ length: 1_200 }, (_, index) => journalDraft({ target: eventId(index) }));
    const done = await Promise.allSettled(drafts.map((draft) => store.appendJournal([draft])));
    const taken = drafts.filter((_, index) => done[index]?.status === 'fulfilled');
    const refused = done.filter(({ status }) => status === 'rejected');
    expect(taken.length).toBeGreaterThanOrEqual(1_000);
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused as PromiseRejectedResult[])
      expect(reason).toBeInstanceOf(StoreUnavailable);
    expect(await targets(store)).toEqual(taken.map(({ target }) => target));
  });

  it('makes what waits together by as many commands as one of them', async () => {
    const { setting, store } = await openStore();
    await insert(store);
    const commandsOf = async (work: () => Promise<unknown>) => {
      const read = async () => {
        const { transactions, metrics } = await setting.client.db('admin').command({ serverStatus: 1 });
        const { insert: inserts, update: updates } = metrics.commands;
        return [transactions.totalCommitted, Number(inserts.total) + Number(updates.total)].map(Number);
      };
      const before = await read();
      await work();
      return (await read()).map((count, place) => count - (before[place] ?? 0));
    };
    // Its key, its entry, and the end of the journal.
    expect(await commandsOf(() => insert(store))).toEqual([1, 3]);
    const many = await commandsOf(() => Promise.all(Array.from({ length: 41 }, () => insert(store))));
    // The first goes at once, the others wait for it.
    expect(many).toEqual([2, 6]);
    expect(await listChain(store)).toHaveLength(43);
  });

  it('rotates a key, whose external id goes over to the new one, by its two writes alone', async () => {
    const { setting, store } = await openStore();
    const [key = keyRecord()] = await insertAll(store, [{ externalId: 'x' }]);
    const made = keyRecord({ id: nextId(), externalId: 'x', rotatedFrom: key.id });
    const old = { ...key, externalId: null, rotatedTo: made.id, version: 2 };
    const rotate = (ifVersion: number) =>
      store.rotateKey({ old, ifVersion, made }, retentionMs, journalDraft({ target: key.id }));
    const asked = await profile(
      setting,
      'keys',
      async () => {
        expect(await rotate(1)).not.toBe(null);
      },
      ['query', 'update', 'insert'],
    );
    expect(asked.map(({ op }) => op)).toEqual(['update', 'insert']);
    expect(await rotate(1)).toBe(null);
    expect(await targets(store)).toEqual([key.id]);
  });

  it('changes what waits together, but for what is not as it was to be', async () => {
    const { store } = await openStore();
    const keys = Array.from({ length: 6 }, () => keyRecord({ id: nextId() }));
    await insertAll(store, keys);
    const replaced = await Promise.all(
      keys.map((key, place) =>
        store.replaceKey(
          { ...key, name: 'changed', version: 2 },
          place === 4 ? 7 : 1,
          retentionMs,
          journalDraft({ action: 'UpdateKey', target: key.id }),
        ),
      ),
    );
    expect(replaced.map((commit) => commit !== null)).toEqual([true, true, true, true, false, true]);
    const changed = keys.filter((_, place) => place !== 4).map(({ id }) => id);
    expect((await targets(store)).toSorted()).toEqual(changed.toSorted());
  });

  it('makes every other change though one of those that wait with it is refused', async () => {
    const { store } = await openStore();
    const [key = keyRecord()] = await insertAll(store, [{}]);
    const first = insert(store);
    const refused = store.insertKey(key, retentionMs, journalDraft({ target: 'refused' }));
    const others = Array.from({ length: 20 }, () => insert(store));
    await expect(refused).rejects.toThrow(DuplicateKey);
    const made = await Promise.all([first, ...others]);
    expect(await targets(store)).toEqual(made);
  });
});
