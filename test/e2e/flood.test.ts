import { expect, it, onTestFinished } from 'vitest';
import type { Postern } from '../real/postern.ts';
import { type CheckAnswer, checkRequest, sendCheck } from './check-client.ts';
import { startConfigured } from './routes.ts';
import { makeKey } from './stack.ts';
import { unknownKey } from './unknown-key.ts';

const readsPerSecond = 20;

it('a flood of keys that nobody made reads the store no more than is set, and shuts nobody else out', async () => {
  const postern = await startConfigured(`memory: { miss_reads_per_second: ${readsPerSecond} }\n`);
  onTestFinished(() => postern.stop());
  const known = await makeKey(postern);
  expect(await ask(postern, known.key)).toMatchObject({ code: 0 });
  const cold = await Promise.all(Array.from({ length: 20 }, () => makeKey(postern)));
  const readsBefore = await reads(postern);

  const began = performance.now();
  const answers: CheckAnswer[] = [];
  for (let round = 0; round < 20; round++) {
    const strangers = Array.from({ length: 20 }, () => ask(postern, unknownKey()));
    answers.push(...(await Promise.all(strangers)));
    expect(await ask(postern, known.key)).toMatchObject({ code: 0 });
    // A key that is in no memory yet, of somebody who has asked for no other.
    expect(await ask(postern, cold[round]?.key ?? '', '192.0.2.1')).toMatchObject({ code: 0 });
  }
  const seconds = (performance.now() - began) / 1_000;

  const unknown = answers.filter(({ reason }) => reason === 'unknown').length;
  const unavailable = answers.filter(({ code, reason }) => code === 14 && reason === 'unavailable').length;
  expect(unknown + unavailable).toBe(400);
  expect(unknown).toBeGreaterThanOrEqual(readsPerSecond);
  expect(unknown).toBeLessThanOrEqual(1.1 * readsPerSecond * (1 + seconds));
  expect((await reads(postern)) - readsBefore).toBe(unknown + cold.length);
});

/** What the log of the store's operations counts of lookups of a key. */
async function reads(postern: Postern): Promise<number> {
  const text = await (await fetch(`${postern.url}/metrics`)).text();
  const count = /^postern_store_operation_duration_seconds_count\{operation="find_key"\} (\d+)$/m.exec(text);
  return Number(count?.[1] ?? 0);
}

function ask({ check }: Postern, key: string, address = '198.51.100.1'): Promise<CheckAnswer> {
  const request = checkRequest({ authorization: `Bearer ${key}` }, address);
  return sendCheck(`${check.host}:${check.port}`, request);
}
