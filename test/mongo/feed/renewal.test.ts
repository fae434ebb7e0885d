import { Timestamp } from 'mongodb';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { justBefore, positionOf } from '../../../src/mongo/feed/position.ts';
import { createRenewal } from '../../../src/mongo/feed/renewal.ts';
import { createIsRelayed, tickMsOf } from '../../../src/mongo/feed/tick.ts';
import { createLease } from '../../../src/store/feed/lease.ts';
import { until } from '../../real/until.ts';
import { insertAll } from '../../store-contract/setting.ts';
import { createSetting } from '../setting.ts';

const at = (i: number) => new Timestamp({ t: 1, i });

/** A lease of 1 s on a clock that is set, and what the fleet says when it is asked for the time. */
function setUp() {
  const clock = { ms: 0 };
  const lease = createLease({ stalenessMaxMs: 1_000, now: () => clock.ms, monotonic: () => clock.ms });
  let next = at(10);
  const answer = async () => next;
  const renewal = createRenewal({
    fleet: { register: answer, renew: answer },
    lease,
    everyMs: 100,
    onError(error) {
      throw error;
    },
  });
  const says = (time: Timestamp) => {
    next = time;
  };
  return { clock, lease, renewal, says };
}

describe('the lease of a replica', () => {
  it('is held once the stream has told of everything up to the time that was asked for, and not before', async () => {
    const { lease, renewal } = setUp();
    await renewal.register();
    renewal.advance(at(9));
    expect(lease.isHeld()).toBe(false);
    renewal.advance(at(10));
    expect(lease.isHeld()).toBe(true);
  });

  it('counts from before the time was asked for', async () => {
    const { clock, lease, renewal } = setUp();
    const asked = renewal.register();
    clock.ms = 400;
    await asked;
    clock.ms = 700;
    renewal.advance(at(10));
    expect(lease.ageMs()).toBe(700);
  });

  it('is given by nothing that was asked for before the stream broke off', async () => {
    const { lease, renewal, says } = setUp();
    await renewal.register();
    renewal.breakOff();
    renewal.advance(at(20));
    expect(lease.isHeld()).toBe(false);
    says(at(15));
    await renewal.register();
    expect(lease.isHeld()).toBe(true);
  });
});

it('the time just before another is the last one that is earlier', () => {
  expect(justBefore(new Timestamp({ t: 7, i: 2 }))).toEqual(new Timestamp({ t: 7, i: 1 }));
  expect(justBefore(new Timestamp({ t: 7, i: 0 }))).toEqual(new Timestamp({ t: 6, i: 0xffffffff }));
  expect(justBefore(null)).toBe(null);
});

describe('where a stream is', () => {
  it('is in its token, with each event and with each answer that has none', async () => {
    const setting = await createSetting(inject('mongoUri'));
    const store = setting.store();
    await store.open();
    const stream = setting.client.db().collection('keys').watch([], { maxAwaitTimeMS: 100 });
    onTestFinished(() => stream.close());
    expect(await stream.tryNext()).toBe(null);
    const before = positionOf(stream.resumeToken);
    await insertAll(store, [{}]);
    const event = await until('the event', async () => (await stream.tryNext()) ?? false);
    expect(positionOf(event._id)).toEqual(event.clusterTime);
    // Where nothing is scanned yet it is where the stream begins, which may be the time of the first event.
    expect(before?.lessThanOrEqual(event.clusterTime as Timestamp)).toBe(true);
    await setting.client.db().collection('other').insertOne({});
    await until('it has looked further', async () => {
      expect(await stream.tryNext()).toBe(null);
      return positionOf(stream.resumeToken)?.greaterThan(event.clusterTime as Timestamp);
    });
  });

  it.each([null, undefined, {}, { _data: 7 }, { _data: '81' }, { _data: '82zz' }])(
    'is unknown by a token of another form: %j',
    (token) => expect(positionOf(token)).toBe(null),
  );
});

it('a stream waits in a small fleet, and what relays hand on is read four times a second in a large one, and more often after a change', () => {
  expect([1, 3, 20].map((replicas) => tickMsOf(replicas))).toEqual([0, 0, 0]);
  const [calm, hurried] = [false, true].map((isHurried) =>
    [21, 40, 100, 1_000].map((replicas) => tickMsOf(replicas, { isHurried })),
  );
  expect(calm).toEqual([250, 250, 250, 250]);
  expect(hurried).toEqual([52.5, 100, 250, 250]);
});

it('a fleet that was large is one until it is a quarter smaller', () => {
  let replicas = 20;
  const isRelayed = createIsRelayed({ size: () => replicas }, 21);
  const seen = [20, 21, 16, 15, 20].map((size) => {
    replicas = size;
    return isRelayed();
  });
  expect(seen).toEqual([false, true, true, false, false]);
});
