import { Timestamp } from 'mongodb';
import { describe, expect, inject, it } from 'vitest';
import { createKeyIds } from '../../../src/keys/key.ts';
import type { Peer } from '../../../src/mongo/feed/register.ts';
import { createSettle } from '../../../src/mongo/feed/settlement.ts';
import { StoreUnavailable } from '../../../src/store/store.ts';
import { until } from '../../real/until.ts';
import { keyRecord } from '../../records.ts';
import { createSetting } from '../setting.ts';

const nextId = createKeyIds(Date.now);
const retentionMs = 86_400_000;

describe('settling a change', () => {
  it('ends at once when every replica has applied it', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const [writer, ...readers] = [setting.store(), setting.store(), setting.store()] as const;
    const heard = new Set<number>();
    for (const [index, reader] of readers.entries()) {
      reader.feed.subscribe({
        onChange: () => heard.add(index),
        onRoleChange() {},
        onOwnerChange() {},
        onGap() {},
      });
    }
    await Promise.all([writer, ...readers].map((store) => store.open()));
    for (let round = 0; round < 20; round++) {
      heard.clear();
      const commit = await writer.insertKey(keyRecord({ id: nextId() }), retentionMs);
      const settled = await writer.settle(commit);
      expect(settled.unconfirmedReplicas).toEqual([]);
      expect(settled.effectiveAt).toBeLessThanOrEqual(Date.now());
      expect(heard.size).toBe(readers.length);
    }
  });

  it('needs no answer of a replica that registered after the change', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const [writer, late] = [setting.store(), setting.store()];
    await writer.open();
    const commit = await writer.insertKey(keyRecord({ id: nextId() }), retentionMs);
    const [settled] = await Promise.all([writer.settle(commit), late.open()]);
    expect(settled.unconfirmedReplicas).toEqual([]);
    expect((await writer.settle(commit)).unconfirmedReplicas).toEqual([]);
  });

  it('names a replica that does not answer, until its lease has run out for certain', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const stalenessMaxMs = 1_000;
    const writer = setting.store({ stalenessMaxMs, settleMaxMs: 100 });
    await writer.open();
    const replicas = setting.client.db().collection<{ _id: string }>('replicas');
    const silent = { replica_id: 'silent', beat: 7, expires_at: new Date(Date.now() + 3_600_000) };
    await replicas.insertOne({ _id: 'a run of it', ...silent });
    const commit = await writer.insertKey(keyRecord({ id: nextId() }), retentionMs);
    // On a machine that is slow the writer may not have heard of its own change either.
    const silentAtLeast = expect.arrayContaining(['silent']);
    expect(await writer.settle(commit)).toEqual({
      effectiveAt: commit.at + stalenessMaxMs,
      unconfirmedReplicas: silentAtLeast,
    });
    const settled = await until('it is taken for lapsed', async () => {
      const again = await writer.settle(commit);
      return again.unconfirmedReplicas.length === 0 && again;
    });
    expect(settled.effectiveAt).toBeGreaterThanOrEqual(commit.at + stalenessMaxMs);
    await replicas.updateOne({ _id: 'a run of it' }, { $set: { beat: 8 } });
    expect((await writer.settle(commit)).unconfirmedReplicas).toEqual(silentAtLeast);
  });

  it('asks the fleet seldom however many changes wait', async () => {
    const { settle, calls } = setUp({ lagging: () => [] });
    await Promise.all(Array.from({ length: 1_000 }, () => settle({ at: 0 })));
    expect(calls.asked).toBeLessThanOrEqual(2);
  });

  it('counts no ask that began before the change', async () => {
    const { settle, calls, release } = setUp({ lagging: () => [], isHeld: true });
    const first = settle({ at: 0 });
    await Promise.resolve();
    const second = settle({ at: 0 });
    release();
    await Promise.all([first, second]);
    expect(calls.asked).toBe(2);
  });

  it('waits no longer than it may, by its own clock, and takes a beat of a version before that stands still for a lapsed lease', async () => {
    const stuck: Peer = { runId: 'r', replicaId: 'stuck', beat: 1, renews: false };
    const { settle, clock } = setUp({ lagging: () => [stuck], settleMaxMs: 0 });
    const unconfirmed = async () => (await settle({ at: 5 })).unconfirmedReplicas;
    expect(await settle({ at: 5 })).toEqual({ effectiveAt: 15_005, unconfirmedReplicas: ['stuck'] });
    clock.monotonic = 14_999;
    expect(await unconfirmed()).toEqual(['stuck']);
    clock.monotonic = 15_000;
    expect(await unconfirmed()).toEqual([]);
  });

  it('goes on waiting for one that looks before each lease, and has it watched out, until the fleet knows', async () => {
    const gone: Peer = { runId: 'r', replicaId: 'gone', beat: 1, renews: true };
    const { settle, calls, clock } = setUp({ lagging: () => [gone], settleMaxMs: 0 });
    expect((await settle({ at: 5 })).unconfirmedReplicas).toEqual(['gone']);
    expect(calls.watched).toEqual(['gone']);
    clock.monotonic = 60_000;
    expect((await settle({ at: 5 })).unconfirmedReplicas).toEqual(['gone']);
  });

  it('looks at one of those who have not answered, and names all of them', async () => {
    const peers = ['a', 'b', 'c'].map((id) => ({ runId: id, replicaId: id, beat: 1, renews: true }));
    let looks = 0;
    const lagging = () => (++looks < 4 ? peers : []);
    const { settle, calls } = setUp({ lagging });
    expect((await settle({ at: 5 })).unconfirmedReplicas).toEqual([]);
    const all = Number.POSITIVE_INFINITY;
    expect(calls.looks).toEqual([all, 1, 1, 1]);
    const late = setUp({ lagging: () => peers, settleMaxMs: 0 });
    expect((await late.settle({ at: 5 })).unconfirmedReplicas).toEqual(['a', 'b', 'c']);
  });

  it('looks at all of them where the one that it sees is of a version before, whose lease may have run out', async () => {
    const before: Peer = { runId: 'a', replicaId: 'a', beat: 1, renews: false };
    const other: Peer = { runId: 'b', replicaId: 'b', beat: 1, renews: true };
    let [looks, isAnswered] = [0, false];
    const lagging = () => {
      looks++;
      return isAnswered ? [before] : [before, other];
    };
    const { settle, clock } = setUp({ lagging, settleMaxMs: 60_000 });
    const settled = settle({ at: 5 });
    await until('it has seen both', () => looks >= 3);
    clock.monotonic = 15_000;
    const seen = looks;
    await until('it goes on waiting for the other', () => looks >= seen + 4);
    isAnswered = true;
    expect(await settled).toEqual({ effectiveAt: 99, unconfirmedReplicas: [] });
  });

  it('waits for its own replica too, which may not know of a change whose answer it never got', async () => {
    let hasApplied = false;
    const { settle } = setUp({ lagging: () => [], hasApplied: () => hasApplied, settleMaxMs: 0 });
    expect(await settle({ at: 5 })).toEqual({ effectiveAt: 15_005, unconfirmedReplicas: ['own'] });
    hasApplied = true;
    expect(await settle({ at: 5 })).toEqual({ effectiveAt: 99, unconfirmedReplicas: [] });
  });

  it('says the latest time that may be when the register cannot be read', async () => {
    const lagging = () => {
      throw new StoreUnavailable('away');
    };
    const { settle } = setUp({ lagging });
    expect(await settle({ at: 5 })).toEqual({ effectiveAt: 15_005, unconfirmedReplicas: [] });
  });
});

function setUp(given: {
  lagging: () => Peer[];
  hasApplied?: () => boolean;
  settleMaxMs?: number;
  isHeld?: boolean;
}) {
  const calls = { asked: 0, watched: [] as string[], looks: [] as number[] };
  const clock = { monotonic: 0 };
  const held = Promise.withResolvers<void>();
  if (given.isHeld !== true) held.resolve();
  const settle = createSettle({
    fleet: {
      async ask() {
        calls.asked++;
        await held.promise;
        return new Timestamp({ t: 1, i: calls.asked });
      },
      async lagging(_, atMost) {
        calls.looks.push(atMost ?? Number.POSITIVE_INFINITY);
        return given.lagging().slice(0, atMost);
      },
    },
    watchOut: (peers) => void calls.watched.push(...peers.map(({ replicaId }) => replicaId)),
    own: { replicaId: 'own', hasApplied: given.hasApplied ?? (() => true) },
    stalenessMaxMs: 15_000,
    settleMaxMs: given.settleMaxMs ?? 1_000,
    now: () => 99,
    monotonic: () => clock.monotonic,
  });
  return { settle, calls, clock, release: () => held.resolve() };
}
