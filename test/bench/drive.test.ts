import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { drive } from '../../bench/client/load.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function pumped(isMeasured: boolean) {
  const ended = Promise.withResolvers<void>();
  const connection = { pump: vi.fn() };
  drive([connection], ended.promise, isMeasured);
  return { ...connection, end: ended.resolve };
}

it('what is not measured is sent once a millisecond, and the core is left to others in between', async () => {
  const { pump, end } = pumped(false);
  await vi.advanceTimersByTimeAsync(20);
  expect(pump.mock.calls.length).toBeGreaterThan(10);
  expect(pump.mock.calls.length).toBeLessThanOrEqual(21);
  end();
  await vi.advanceTimersByTimeAsync(1);
  const { length } = pump.mock.calls;
  await vi.advanceTimersByTimeAsync(20);
  expect(pump.mock.calls.length).toBe(length);
});

it('what is measured is sent as soon as it is due', () => {
  const { pump, end } = pumped(true);
  for (let turn = 0; turn < 100; turn++) vi.advanceTimersToNextTimer();
  expect(pump).toHaveBeenCalledTimes(101);
  end();
});
