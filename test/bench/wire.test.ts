import { expect, it } from 'vitest';
import {
  allowed,
  bareAllowed,
  bareDenied,
  nonsense,
  readOutcome,
  seenByCaller,
} from '../../bench/client/answer.ts';
import { createStatusReader } from '../../bench/client/header-block.ts';
import {
  endedChildrenNs,
  endedThreadsNs,
  machineSince,
  machineTimeOf,
} from '../../bench/common/processor-time.ts';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

it.each([
  ['a status of the static table', '88', 200],
  ['a literal by its name in the table', '48 03 343031', 401],
  ['one in Huffman code, padded', '48 83 6c0cff', 503],
  ['one in Huffman code that fills its bytes', '48 82 6801', 401],
  ['one that is not indexed', '08 03 343239', 429],
])('reads %s', (_, block, status) => {
  expect(createStatusReader(':status').read(bytes(block))).toBe(status);
});

it('remembers a status that the server put into its table, and counts what came after it', () => {
  const reader = createStatusReader(':status');
  expect(reader.read(bytes('48 03 343031 40 01 61 01 62'))).toBe(401);
  expect(reader.read(bytes('bf'))).toBe(401);
  expect(reader.read(bytes('be'))).toBeUndefined();
});

it('reads the status of gRPC, and takes no other for it', () => {
  const reader = createStatusReader('grpc-status');
  expect(reader.read(bytes('88 40 0b 677270632d737461747573 01 30'))).toBe(0);
  expect(reader.read(bytes('be'))).toBe(0);
  expect(reader.read(bytes('40 88 9acac8b21234da8f 81 1f'))).toBeNaN();
});

it.each([
  ['', nonsense],
  ['0a00 1a00', allowed],
  ['0a00', bareAllowed],
  ['0a02 0807', bareDenied],
  ['0a02 0810 1205 0a03 089103', 401],
  ['0a02 080e 2a05 0a03 08f703', 1503],
  ['0a00 1205 0a03 089103', nonsense],
])('reads the CheckResponse %s', (hex, outcome) => {
  const message = bytes(hex);
  expect(readOutcome(message, 0, message.length)).toBe(outcome);
});

it('knows what Envoy makes of an answer without a word', () => {
  expect([bareAllowed, bareDenied, 401].map(seenByCaller)).toEqual([allowed, 403, 401]);
});

it('reads what the cores did, in nanoseconds', () => {
  const stat = (user: number, steal: number) =>
    `cpu  ${user} 1 2 900 50 3 4 ${steal} 0 0\ncpu0 9 9 9 9 9 9 9 9 0 0\n`;
  const before = machineTimeOf(stat(100, 5));
  expect(before).toEqual({ busyNs: 110 * 10_000_000, stolenNs: 50_000_000 });
  expect(machineSince(before, machineTimeOf(stat(150, 6)))).toEqual({ busyNs: 5e8, stolenNs: 1e7 });
});

it('counts what threads ran that have ended, beyond the rounding of ticks', () => {
  const stat = (utime: number, stime: number) =>
    `7 (a) name) S ${Array.from({ length: 10 }, () => 0).join(' ')} ${utime} ${stime} 30 40 20`;
  expect(endedThreadsNs(stat(100, 50), 0.4e9)).toBe(1.1e9);
  expect(endedThreadsNs(stat(100, 50), 1.49e9)).toBe(0);
  expect(endedChildrenNs(stat(100, 50))).toBe(0.7e9);
});
