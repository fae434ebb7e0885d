import { expect, it } from 'vitest';
import { checksPerSecond } from '../../bench/scale.ts';

it('counts what all share on every core, until the one thread that does it is used', () => {
  expect(checksPerSecond(4, { own: 9, shared: 1 })).toBe(240_000);
  expect(checksPerSecond(8, { own: 9, shared: 1 })).toBe(480_000);
  expect(checksPerSecond(16, { own: 9, shared: 1 })).toBe(600_000);
});

it('grows with every core where nothing is shared', () => {
  expect(checksPerSecond(16, { own: 10, shared: 0 })).toBe(960_000);
});
