import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { expect, it, onTestFinished } from 'vitest';
import { withinDeadline } from '../../src/mongo/sessions.ts';
import { StoreUnavailable } from '../../src/store/store.ts';

/** Nothing of this thread goes on meanwhile. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

it('what has been answered is no late answer, though this process stood still until the deadline was over', async () => {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port1.close());
  const signals: AbortSignal[] = [];
  const answer = withinDeadline(1, async (signal) => {
    signals.push(signal);
    return (await once(port2, 'message'))[0];
  });
  port1.postMessage('answered');
  standStill(20);
  expect(await answer).toBe('answered');
  expect(signals[0]?.aborted).toBe(false);
});

it('what is not answered by its deadline is given up, and told so', async () => {
  const signals: AbortSignal[] = [];
  const answer = withinDeadline(1, (signal) => {
    signals.push(signal);
    return new Promise(() => {});
  });
  await expect(answer).rejects.toThrow(new StoreUnavailable('MongoDB did not answer within 1 ms'));
  expect(signals[0]?.aborted).toBe(true);
});
