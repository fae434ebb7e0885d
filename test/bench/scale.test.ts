import { expect, it } from 'vitest';
import { checksPerSecond, keysInUse, writesIn } from '../../bench/common/scale.ts';

it('has each process answer on a core of its own', () => {
  expect(checksPerSecond(1, 10)).toBe(60_000);
  expect(checksPerSecond(16, 10)).toBe(960_000);
});

it('has what all share bound the keys in use, fewer with each process that tells of them', () => {
  expect(keysInUse(1, 6)).toBe(500_000);
  expect(keysInUse(4, 6)).toBe(125_000);
});

it('counts the write that comes after a turn', () => {
  expect(writesIn(10)).toBe(3);
});
