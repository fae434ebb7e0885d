import { Timestamp } from 'mongodb';
import { expect, it } from 'vitest';
import type { RelayedPage } from '../../../src/mongo/feed/pages.ts';
import { createRelaying } from '../../../src/mongo/feed/relaying.ts';
import { digestOf } from '../../records.ts';

const at = (seconds: number) => new Timestamp({ t: seconds, i: 1 });

/** A relay on its own, with what it has written, and what others are said to have handed on. */
function createRelay({ everyMs = 600_000, replicas = 30 } = {}) {
  const written: [number, number, string[]][] = [];
  const others = { reached: at(0), isAway: false };
  const relays = {
    async write({ from, upTo, told }: RelayedPage) {
      if (others.isAway) throw new Error('away');
      written.push([from.getHighBits(), upTo.getHighBits(), told.map(([, id]) => String(id))]);
    },
    claim: async () => 0,
    reachedFrom: async (time: Timestamp) => (others.reached.greaterThan(time) ? others.reached : time),
  };
  const clock = { ms: 0 };
  const given = { relays, place: 0, from: at(10), everyMs, size: () => replicas, monotonic: () => clock.ms };
  return { written, others, clock, relaying: createRelaying(given) };
}

it('a relay hands on with each page all that is up to its end, and keeps what is later for the next', async () => {
  const { written, others, clock, relaying } = createRelay();
  others.isAway = true;
  relaying.note(['key', digestOf('a'), null], at(11));
  relaying.note(['key', digestOf('b'), null], at(13));
  relaying.reached(at(12));
  clock.ms += 250;
  await expect(relaying.handOn(at(13))).rejects.toThrow('away');
  others.isAway = false;
  await relaying.handOn(at(13));
  await relaying.handOn(at(13));
  relaying.reached(at(13));
  clock.ms += 250;
  await relaying.handOn(at(14));
  // Without news it says now and then how far it has looked.
  relaying.reached(at(20));
  await relaying.handOn(at(20));
  expect(written).toEqual([
    [10, 12, [digestOf('a')]],
    [12, 13, [digestOf('b')]],
  ]);
});

it('a relay hands on nothing that another has handed on, and all that is later', async () => {
  const { written, others, clock, relaying } = createRelay();
  relaying.note(['key', 'a', null], at(11));
  relaying.reached(at(12));
  others.reached = at(13);
  clock.ms += 250;
  await relaying.handOn(at(12));
  expect(written).toEqual([]);
  relaying.note(['key', 'b', null], at(13));
  relaying.note(['key', 'c', null], at(14));
  relaying.reached(at(15));
  clock.ms += 250;
  await relaying.handOn(at(15));
  expect(written).toEqual([[13, 15, ['c']]]);
});

it('a relay says how far it has looked only where no other has lately', async () => {
  const { written, others, clock, relaying } = createRelay({ everyMs: 3_000 });
  const handOn = async (afterMs: number) => {
    clock.ms += afterMs;
    await relaying.handOn(at(20));
    return written.length;
  };
  others.reached = at(11);
  relaying.reached(at(12));
  expect(await handOn(1_500)).toBe(0);
  others.reached = at(12);
  relaying.reached(at(14));
  expect(await handOn(1_500)).toBe(0);
  expect(await handOn(1_499)).toBe(0);
  expect(await handOn(1)).toBe(1);
  expect(written).toEqual([[12, 14, []]]);
});

it('a relay gathers what nobody waits for, and hands it on with the mark of whoever waits', async () => {
  const { written, clock, relaying } = createRelay();
  const handOn = async (afterMs: number) => {
    clock.ms += afterMs;
    await relaying.handOn(at(99));
    return written.length;
  };
  relaying.note(['key', 'a', null], at(11));
  relaying.reached(at(11));
  expect(await handOn(200)).toBe(0);
  relaying.note(['key', 'b', null], at(12));
  relaying.reached(at(12));
  expect(await handOn(49)).toBe(0);
  expect(await handOn(1)).toBe(1);
  relaying.note(['key', 'c', null], at(13));
  relaying.reached(at(13));
  expect(await handOn(10)).toBe(1);
  relaying.note(['ask'], at(14));
  relaying.reached(at(14));
  expect(await handOn(10)).toBe(2);
  expect(written).toEqual([
    [10, 12, ['a', 'b']],
    [12, 14, ['c', 'undefined']],
  ]);
});

it('a relay hands on marks no oftener than the fleet can be woken', async () => {
  const { written, clock, relaying } = createRelay({ replicas: 1_000 });
  for (let time = 11; time < 61; time++) {
    relaying.note(['ask'], at(time));
    relaying.reached(at(time));
    await relaying.handOn(at(time));
    clock.ms += 25;
  }
  // In 1.25 s.
  expect(written.length).toBe(13);
});

it('a relay hands on as many changes as a page has at once', async () => {
  const { written, relaying } = createRelay();
  for (let time = 11; time <= 510; time++) relaying.note(['key', 'a', null], at(time));
  relaying.reached(at(510));
  expect(relaying.isFull()).toBe(true);
  await relaying.handOn(at(510));
  expect(written.map(([from, upTo, told]) => [from, upTo, told.length])).toEqual([[10, 510, 500]]);
});

it('a relay reads its stream sooner for a while after a change was told of', async () => {
  const { relaying } = createRelay();
  const pauses: number[] = [];
  const pause = () => relaying.pause(async (ms) => void pauses.push(ms));
  await pause();
  relaying.note(['ask'], at(11));
  await pause();
  expect(pauses).toEqual([50, 25]);
});
