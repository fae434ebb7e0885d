import { spawn } from 'node:child_process';
import { expect, it, onTestFinished } from 'vitest';
import { until } from '../../real/until.ts';

const heap = new URL('../../../src/cli/serving/heap.ts', import.meta.url).href;
/** Holds much, and makes V8 look again and again for what of it is alive. */
const worker = `
  const held = Array.from({ length: 200_000 }, (_, at) => ({ at, more: { list: [at] } }));
  let buffers = [];
  setInterval(() => {
    buffers = buffers.length > held.length / 5_000 ? [] : [...buffers, new ArrayBuffer(4_000_000)];
  }, 2);
`;

it('What is alive on the heap of those who answer Checks is marked by one thread beside them', async () => {
  const program = `
    import { setFlagsFromString } from 'node:v8';
    import { Worker } from 'node:worker_threads';
    import { markByOneThread } from ${JSON.stringify(heap)};
    markByOneThread();
    setFlagsFromString('--trace-concurrent-marking');
    new Worker(${JSON.stringify(worker)}, { eval: true });
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const markers = () =>
    [...output.matchAll(/Starting major concurrent marking task (\d+)$/gm)].map(([, n]) => n);
  await until('marked some times', () => markers().length >= 10);
  expect(new Set(markers())).toEqual(new Set(['1']));
});
