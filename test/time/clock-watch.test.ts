import { expect, it } from 'vitest';
import { createClockWatch } from '../../src/time/clock-watch.ts';

it('tells of each step of the clock once, back and forward, and not of time that passes or is corrected', () => {
  const clock = { wall: 1_000_000, monotonic: 50 };
  const steps: number[] = [];
  const watch = createClockWatch({
    now: () => clock.wall,
    monotonic: () => clock.monotonic,
    onStep: (byMs) => steps.push(byMs),
  });
  const pass = (wallMs: number, monotonicMs: number) => {
    clock.wall += wallMs;
    clock.monotonic += monotonicMs;
    watch.look();
  };
  for (let looks = 0; looks < 100; looks++) pass(10_050, 10_000);
  pass(10_000 - 3_600_000, 10_000);
  pass(10_000, 10_000);
  pass(70_000, 10_000);
  expect(steps).toEqual([-3_600_000, 60_000]);
});
