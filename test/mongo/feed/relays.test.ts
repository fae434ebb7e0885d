import { Timestamp } from 'mongodb';
import { describe, expect, inject, it } from 'vitest';
import type { KeyRecord } from '../../../src/keys/key.ts';
import { type FollowDependencies, followRelays } from '../../../src/mongo/feed/follow-relays.ts';
import type { RelayedPage } from '../../../src/mongo/feed/pages.ts';
import { until } from '../../real/until.ts';
import { keyRecord } from '../../records.ts';
import { nextId, retentionMs } from '../../store-contract/setting.ts';
import { createSetting, listen } from '../setting.ts';

const at = (seconds: number) => new Timestamp({ t: seconds, i: 1 });
const page = (from: number, upTo: number, ...ids: string[]): RelayedPage => ({
  ...{ from: at(from), upTo: at(upTo), seen: at(upTo) },
  told: ids.map((id) => ['key', id, null] as const),
});

/** A fleet so small that all are relayed, each of its replicas listened to. */
async function relayedFleet(replicas: number, { stalenessMaxMs = 15_000, isCapped = true } = {}) {
  const setting = await createSetting(inject('mongoUri'), { fresh: true });
  // Who registers counts it: none has to register again, after a quarter of a minute, to learn that it is not alone.
  const gone = {
    replica_id: 'gone',
    renews: true,
    lapsed: true,
    expires_at: new Date(Date.now() + 3_600_000),
  };
  await setting.client
    .db()
    .collection<{ _id: string }>('replicas')
    .insertOne({ _id: 'gone', ...gone });
  if (!isCapped) await setting.client.db().createCollection('relay_pages');
  const stores = Array.from({ length: replicas }, (_, place) =>
    setting.store({ replicaId: `replica-${place}`, stalenessMaxMs, relayedFrom: 2 }),
  );
  const told = stores.map(listen);
  for (const store of stores) await store.open();
  const database = setting.client.db();
  const relays = async () => {
    const found = database
      .collection<{ _id: string; holder: string; until: Date }>('duties')
      .find({ _id: /^relay changes/, $expr: { $gt: ['$until', '$$NOW'] } });
    return (await found.toArray()).map(({ holder }) => holder);
  };
  const relayed = database.collection<{ told: [string, string][] }>(isCapped ? 'relay_pages' : 'relayed');
  const grown = () => until('relays have begun', async () => (await relayed.countDocuments()) > 0);
  return { setting, stores, told, relays, relayed, grown };
}

describe('in a large fleet', () => {
  it.each([
    ['a change wakes every replica', true],
    ['a change reaches every replica that cannot wait for it', false],
  ])('%s by what a few relays hand on, and RevokeKey waits for all of them', async (_, isCapped) => {
    const { stores, told, relayed, grown } = await relayedFleet(4, { isCapped });
    const [writer] = stores;
    if (writer === undefined) throw new Error('no store');
    await grown();
    const keys = Array.from({ length: 40 }, () => keyRecord({ id: nextId() }));
    for (const key of keys) await writer.insertKey(key, retentionMs);
    await until('all were told', () => told.every(({ times }) => keys.every(({ id }) => times(id) > 0)));
    const revoke = async (key: KeyRecord, at: number) => {
      const store = stores[at % stores.length] ?? writer;
      const before = told.map(({ times }) => times(key.id));
      const commit = await store.replaceKey({ ...key, revokedAt: 1, version: 2 }, 1, retentionMs);
      if (commit === null) throw new Error('nobody else changes it');
      expect((await store.settle(commit)).unconfirmedReplicas).toEqual([]);
      // Whoever confirms has been told of it before.
      const after = told.map(({ times }) => times(key.id));
      return after.every((times, replica) => times > (before[replica] ?? 0));
    };
    for (let at = 0; at < keys.length; at += 8) {
      const some = keys.slice(at, at + 8);
      expect(await Promise.all(some.map(revoke))).toEqual(some.map(() => true));
    }
    const handedOn = (await relayed.find().toArray()).flatMap((each) => each.told);
    expect(handedOn).toContainEqual(['key', keys[0]?.id, keys[0]?.digest]);
    expect(handedOn).toContainEqual(['ask']);
  });

  it('keeps memory answering on every replica, of which at most two have a stream', async () => {
    const { stores, setting, relays, grown } = await relayedFleet(5, { stalenessMaxMs: 3_000 });
    await grown();
    await until('there are two relays', async () => (await relays()).length === 2);
    const { databaseName } = setting.client.db();
    const streams = async () => {
      const cursors = setting.client
        .db('admin')
        .aggregate<{ cursor?: { originatingCommand?: object; lastAccessDate?: Date }; now: Date }>(
          [
            { $currentOp: { idleCursors: true } },
            { $match: { ns: `${databaseName}.$cmd.aggregate` } },
            { $set: { now: '$$NOW' } },
          ],
          { readConcern: { level: 'local' } },
        );
      // One that was closed while it was opened stays with the server, which ends it later, and nobody reads it.
      const read = (await cursors.toArray()).filter(
        ({ cursor, now }) => now.getTime() - (cursor?.lastAccessDate?.getTime() ?? 0) < 15_000,
      );
      const commands = read.map(({ cursor }) => JSON.stringify(cursor ?? ''));
      return commands.filter((command) => command.includes('$changeStream')).length;
    };
    await until('the relays have theirs', async () => (await streams()) > 0);
    await until('the others have closed theirs', async () => (await streams()) <= 2);
    const began = performance.now();
    await until('longer than a lease', () => performance.now() - began > 4_000);
    await until('memory answers', () => stores.every(({ feed }) => feed.isFresh()));
  });

  it('goes on when its relays are gone without a word', async () => {
    const { stores, setting, told, relays, grown } = await relayedFleet(4, { stalenessMaxMs: 3_000 });
    await grown();
    await until('there are two relays', async () => (await relays()).length === 2);
    const duties = setting.client.db().collection<{ _id: string; holder: string; until: Date }>('duties');
    const far = new Date(Date.now() + 600_000);
    await duties.updateMany({ _id: /^relay changes/ }, { $set: { holder: 'nobody', until: far } });
    const key = keyRecord({ id: nextId() });
    await stores[0]?.insertKey(key, retentionMs);
    // By a stream of its own, each now and then.
    await until('all were told', () => told.every(({ times }) => times(key.id) > 0));
    await duties.deleteMany({ _id: /^relay changes/ });
    await until('others relay', async () => (await relays()).some((holder) => holder !== 'nobody'));
    const next = keyRecord({ id: nextId() });
    await stores[0]?.insertKey(next, retentionMs);
    await until('all were told', () => told.every(({ times }) => times(next.id) > 0));
    expect(told.map(({ gaps }) => gaps)).toEqual([1, 1, 1, 1]);
  });

  it('goes on where what relays hand on was dropped', async () => {
    const { stores, told, relayed, grown } = await relayedFleet(4, { stalenessMaxMs: 3_000 });
    await grown();
    for (let round = 0; round < 3; round++) {
      await relayed.drop();
      const key = keyRecord({ id: nextId() });
      await stores[0]?.insertKey(key, retentionMs);
      await until('all were told', () => told.every(({ times }) => times(key.id) > 0));
    }
    expect(told.map(({ gaps }) => gaps)).toEqual([1, 1, 1, 1]);
  });

  it('leaves pages and duties of replicas of a version before to these', async () => {
    const { setting, stores, told, grown } = await relayedFleet(3);
    const duties = setting.client.db().collection<{ _id: string; holder: string; until: Date }>('duties');
    const far = new Date(Date.now() + 600_000);
    const before = [0, 1].map((place) => ({ _id: `relay changes ${place}`, holder: 'before', until: far }));
    await duties.insertMany(before);
    await grown();
    const key = keyRecord({ id: nextId() });
    await stores[0]?.insertKey(key, retentionMs);
    await until('all were told', () => told.every(({ times }) => times(key.id) > 0));
    expect(await duties.find({ _id: /^relay changes \d/ }).toArray()).toEqual(before);
    expect(await setting.client.db().collection('relayed').countDocuments()).toBe(0);
  });

  it('a replica whose document is removed forgets what it knows, by the word of a relay', async () => {
    const { setting, told, grown } = await relayedFleet(3);
    await grown();
    const replicas = setting.client.db().collection<{ _id: string; replica_id: string }>('replicas');
    await replicas.deleteOne({ replica_id: 'replica-1' });
    await until('it has', () => told[1]?.gaps === 2);
    expect([told[0]?.gaps, told[2]?.gaps]).toEqual([1, 1]);
  });
});

describe('who reads what relays hand on', () => {
  /** Reads pages that are given for one look each, then until it is told to end. */
  async function follow(
    looks: readonly (readonly RelayedPage[])[],
    given: Partial<FollowDependencies> = {},
    isAwaited = false,
  ) {
    const taken: string[] = [];
    const left = [...looks];
    const asked: number[] = [];
    let closed = 0;
    let isOver = false;
    const place = await followRelays(at(10), {
      relays: {
        async read(after, wait) {
          await wait();
          asked.push(after.getHighBits());
          const next = left.shift();
          if (next === undefined) isOver = true;
          return (next ?? []).filter(({ upTo }) => upTo.greaterThan(after));
        },
        ...{ claim: async () => null, isAwaited: () => isAwaited },
        close: () => void closed++,
      },
      take: ({ told }) => taken.push(...told.map((one) => one[1] ?? one[0])),
      goesOn: () => !isOver,
      onProgress() {},
      pause: async () => {},
      ...{ tickMsOf: () => 1, everyMs: 60_000, size: () => 30 },
      ...given,
    });
    return { place, taken, asked, closed };
  }

  it('goes from page to page as far as they join, and takes what two relays say once or twice', async () => {
    const { taken, asked } = await follow([
      [page(5, 12, 'a'), page(8, 14, 'a', 'b')],
      [page(12, 15, 'b', 'c'), page(14, 16, 'c', 'd')],
    ]);
    expect(taken).toEqual(['a', 'a', 'b', 'b', 'c', 'c', 'd']);
    expect(asked).toEqual([10, 14, 16]);
  });

  it('takes nothing that begins later than it knows, and asks the stream itself', async () => {
    const { taken, place } = await follow([[page(11, 12, 'a')], [page(10, 13, 'never asked')]]);
    expect([taken, place]).toEqual([[], null]);
  });

  it('takes a longer page where a shorter one begins too late', async () => {
    const { taken } = await follow([[page(11, 12, 'a'), page(10, 13, 'a', 'b')]]);
    expect(taken).toEqual(['a', 'b']);
  });

  it('reads sooner for a while after a change was told of, and not after a page without one', async () => {
    const pauses: number[] = [];
    await follow([[], [page(10, 12)], [page(12, 14, 'a')], []], {
      tickMsOf: (isHurried) => (isHurried ? 2 : 7),
      pause: async (ms) => void pauses.push(ms),
    });
    // The first is that before the first read, by chance.
    expect(pauses.slice(1)).toEqual([7, 7, 2, 2]);
  });

  it('asks to relay itself when nothing comes any more', async () => {
    const standing = Array.from({ length: 200_000 }, () => []);
    const { place } = await follow(standing, {
      relays: {
        ...{ claim: async () => 1, isAwaited: () => false, close() {} },
        async read(_, wait) {
          await wait();
          return [];
        },
      },
      goesOn: () => true,
      pause: () => new Promise((resolve) => setImmediate(resolve)),
      everyMs: 20,
    });
    expect(place).toBe(1);
  });

  it('takes nothing that it knows already, in whatever order two relays have written', async () => {
    const { taken, asked, place } = await follow([
      [page(10, 14, 'a', 'b'), page(8, 12, 'a')],
      [page(12, 13, 'b')],
      [page(13, 16, 'b', 'c')],
    ]);
    expect(taken).toEqual(['a', 'b', 'b', 'c']);
    expect([asked, place]).toEqual([[10, 14, 14, 16], null]);
  });

  it('ends what it has begun to wait for, however it ends', async () => {
    expect((await follow([])).closed).toBe(1);
    expect((await follow([[page(11, 12, 'a')]])).closed).toBe(1);
  });

  it('is woken by pages where it can wait for them, and looks for none in between', async () => {
    const tickMsOf = () => {
      throw new Error('it looks for pages');
    };
    const looks = [[page(10, 12, 'a')], [], [page(12, 14, 'b')]];
    expect((await follow(looks, { tickMsOf }, true)).taken).toEqual(['a', 'b']);
  });

  it('reads a stream of its own where it waits and nothing comes', async () => {
    let ms = 0;
    const { place } = await follow([], {
      relays: {
        ...{ claim: async () => null, isAwaited: () => true, close() {} },
        async read(_, wait) {
          await wait();
          return [];
        },
      },
      goesOn: () => true,
      pause: (asked) => {
        ms += asked;
        return new Promise((resolve) => setImmediate(resolve));
      },
      everyMs: 20,
    });
    expect(place).toBe(null);
    expect(ms).toBeGreaterThan(0);
  });
});
