import { Timestamp } from 'mongodb';
import { expect, it } from 'vitest';
import type { RelayedPage } from '../../src/mongo/feed/pages.ts';
import { createRelaying } from '../../src/mongo/feed/relaying.ts';
import { until } from '../real/until.ts';
import { digestOf } from '../records.ts';

const at = (seconds: number) => new Timestamp({ t: seconds, i: 1 });

/** A relay on its own, with what it has written, and what others are said to have handed on. */
function createRelay(everyMs = 600_000) {
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
  return { written, others, relaying: createRelaying(relays, 0, at(10), everyMs) };
}

it('a relay hands on with each page all that is up to its end, and keeps what is later for the next', async () => {
  const { written, others, relaying } = createRelay();
  others.isAway = true;
  relaying.note(['key', digestOf('a'), null], at(11));
  relaying.note(['key', digestOf('b'), null], at(13));
  relaying.reached(at(12));
  await expect(relaying.handOn(at(13))).rejects.toThrow('away');
  others.isAway = false;
  await relaying.handOn(at(13));
  await relaying.handOn(at(13));
  relaying.reached(at(13));
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
  const { written, others, relaying } = createRelay();
  relaying.note(['key', 'a', null], at(11));
  relaying.reached(at(12));
  others.reached = at(13);
  await relaying.handOn(at(12));
  expect(written).toEqual([]);
  relaying.note(['key', 'b', null], at(13));
  relaying.note(['key', 'c', null], at(14));
  relaying.reached(at(15));
  await relaying.handOn(at(15));
  expect(written).toEqual([[13, 15, ['c']]]);
});

it('a relay says how far it has looked only where no other has lately', async () => {
  const { written, others, relaying } = createRelay(0.001);
  others.reached = at(11);
  relaying.reached(at(12));
  const pause = () => relaying.pause(async () => {});
  await until('it says so', async () => {
    await pause();
    await relaying.handOn(at(12));
    return written.length > 0;
  });
  expect(written).toEqual([[11, 12, []]]);
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
