import { expect, it } from 'vitest';
import { doubts } from '../../bench/report/doubts.ts';
import { roundOf } from './setting.ts';

const closed = { streams: 64, perSecond: null };
const good = roundOf();

it('finds nothing to doubt where the server is busy and alone', () => {
  expect(doubts({ rounds: [good, good] }, closed)).toEqual([]);
});

it('says when the client set the rate', () => {
  const machine = { busyNs: 1.45e9, stolenNs: 0 };
  const server = { ranNs: 0.5e9, waitedNs: 0 };
  const bound = roundOf({ server, client: { ranNs: 0.95e9, waitedNs: 0 }, machine });
  expect(doubts({ rounds: [good, bound, bound] }, closed)).toEqual([
    'client at its limit, rate too low (2 of 3)',
  ]);
});

it('says when neither was busy, but for a single stream, which waits by nature', () => {
  const idle = roundOf({
    server: { ranNs: 0.3e9, waitedNs: 0 },
    client: { ranNs: 0.3e9, waitedNs: 0 },
    machine: { busyNs: 0.6e9, stolenNs: 0 },
  });
  expect(doubts({ rounds: [idle] }, closed)).toEqual(['server idle at times, rate too low']);
  expect(doubts({ rounds: [idle] }, { ...closed, streams: 1 })).toEqual([]);
});

it('counts a proxy before the server as a part of it', () => {
  const both = roundOf({
    server: { ranNs: 0.3e9, waitedNs: 0.7e9 },
    proxy: { ranNs: 0.69e9, waitedNs: 0.3e9 },
  });
  expect(doubts({ rounds: [both] }, closed)).toEqual([]);
});

it('says when something else had the machine', () => {
  const shared = roundOf({ machine: { busyNs: 1.9e9, stolenNs: 0.05e9 } });
  expect(doubts({ rounds: [good, shared] }, closed)).toEqual([
    'others on the machine up to 41 % (1 of 2)',
    'stolen by the host up to 5 % (1 of 2)',
  ]);
});

it('says when a constant rate was not kept, and asks of no server then to be busy', () => {
  const half = { ranNs: 0.2e9, waitedNs: 0 };
  const easy = roundOf({ server: half, machine: { busyNs: 0.7e9, stolenNs: 0 } });
  const behind = roundOf({ owed: 200, server: half, machine: { busyNs: 0.7e9, stolenNs: 0 } });
  const constant = { streams: 64, perSecond: 10_000 };
  expect(doubts({ rounds: [easy] }, constant)).toEqual([]);
  expect(doubts({ rounds: [behind] }, constant)).toEqual(['rate not kept']);
});
