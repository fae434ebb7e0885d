import { expect, it } from 'vitest';
import { closedPace, constantPace, type Pace } from '../../bench/client/pace.ts';

function takeAll(pace: Pace, nowMs: number): number[] {
  const taken: number[] = [];
  for (let at = pace.take(nowMs); at !== undefined; at = pace.take(nowMs)) taken.push(at);
  return taken;
}

it('lets a closed load send whenever there is room, and counts from then', () => {
  const pace = closedPace();
  expect([pace.take(5), pace.take(5), pace.owed(1_000)]).toEqual([5, 5, 0]);
});

it('makes Checks due at equal distances, the first at once', () => {
  const pace = constantPace(1_000, 100);
  expect(pace.take(99.9)).toBeUndefined();
  expect(takeAll(pace, 102.5)).toEqual([100, 101, 102]);
  expect(takeAll(pace, 102.9)).toEqual([]);
  expect(takeAll(pace, 103)).toEqual([103]);
});

it('counts what was held up from when it was due, not from when it was sent', () => {
  const pace = constantPace(10, 0);
  expect(takeAll(pace, 0)).toEqual([0]);
  const waitedMs = takeAll(pace, 500).map((dueMs) => 500 - dueMs);
  expect(waitedMs).toEqual([400, 300, 200, 100, 0]);
});

it('keeps its rate after a stall, and does not drift', () => {
  const pace = constantPace(3_000, 0);
  expect(takeAll(pace, 60_000)).toHaveLength(180_001);
  expect(pace.take(60_000.3)).toBeUndefined();
  expect(pace.take(60_000.4)).toBeCloseTo(60_000 + 1 / 3, 6);
});

it('says how many are owed', () => {
  const pace = constantPace(100, 0);
  expect(pace.owed(-1)).toBe(0);
  expect(pace.owed(95)).toBe(10);
  pace.take(95);
  expect(pace.owed(95)).toBe(9);
});
