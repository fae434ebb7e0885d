import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createWorkerLog } from '../../src/link/worker-log.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A service that has written what it was sent once `answer` is called. */
function serviceOf(): { sent: string[]; answer: () => void; ask: () => Promise<never> } {
  const sent: string[] = [];
  let answer = () => {};
  return {
    sent,
    answer: () => answer(),
    ask: ((_: 'writeLines', lines: string) => {
      sent.push(lines);
      return new Promise<void>((resolve) => {
        answer = resolve;
      });
    }) as unknown as () => Promise<never>,
  };
}

it('sends the lines of a moment together, and the next ones after these were written', async () => {
  const service = serviceOf();
  const log = createWorkerLog(service, () => {});
  log.write('a\n');
  await vi.advanceTimersByTimeAsync(9);
  log.write('b\n');
  expect(service.sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(service.sent).toEqual(['a\nb\n']);
  log.write('c\n');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(service.sent).toEqual(['a\nb\n']);
  service.answer();
  await vi.advanceTimersByTimeAsync(10);
  expect(service.sent).toEqual(['a\nb\n', 'c\n']);
});

it('sends many at once without waiting for more', () => {
  const service = serviceOf();
  const log = createWorkerLog(service, () => {});
  const line = `${'x'.repeat(64 * 1_024)}\n`;
  for (let lines = 0; lines < 4; lines++) log.write(line);
  expect(service.sent).toEqual([line.repeat(4)]);
});

it('hands all over when it is flushed, waiting for nothing but the service', async () => {
  const service = serviceOf();
  const log = createWorkerLog(service, () => {});
  log.write('a\n');
  let isOver = false;
  const flushed = log.flush().then(() => {
    isOver = true;
  });
  expect(service.sent).toEqual(['a\n']);
  log.write('b\n');
  await Promise.resolve();
  expect(isOver).toBe(false);
  service.answer();
  await vi.advanceTimersByTimeAsync(0);
  expect(service.sent).toEqual(['a\n', 'b\n']);
  service.answer();
  await flushed;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(service.sent).toEqual(['a\n', 'b\n']);
});

it('leaves out what there is no room for, and says how much once there is', async () => {
  const service = serviceOf();
  const told: number[] = [];
  const log = createWorkerLog(service, (lines) => told.push(lines));
  const line = `${'x'.repeat(1_024 * 1_024 - 1)}\n`;
  for (let lines = 0; lines < 8; lines++) log.write(line);
  // The first is under way by itself, four wait.
  expect(service.sent).toHaveLength(1);
  for (let batch = 0; batch < 5; batch++) {
    service.answer();
    await vi.advanceTimersByTimeAsync(0);
  }
  expect(service.sent).toHaveLength(5);
  expect(told).toEqual([3]);
});
