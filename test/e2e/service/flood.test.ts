import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Postern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { type CheckAnswer, checkRequest, sendCheck } from '../check-client.ts';
import { startConfigured } from '../routes.ts';
import { admin, makeKey } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

const readsPerSecond = 20;

it('a flood of keys that nobody made reads the store no more than is set, and shuts nobody else out', async () => {
  // Of a memory that has room for all keys nothing would be read.
  const postern = await startConfigured(
    `memory: { keys_max: 8, miss_reads_per_second: ${readsPerSecond} }\n`,
  );
  onTestFinished(() => postern.stop());
  for (let more = 0; more < 9; more++)
    expect(await ask(postern, (await makeKey(postern)).key)).toMatchObject({ code: 0 });
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

it('floods of keys that nobody made, and of keys for the first time, read nothing once memory has all keys', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'postern-flood-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const store = { POSTERN_STORE: `sqlite:${join(folder, 'postern.db')}` };
  const before = await startConfigured('{}\n', store);
  const made = await Promise.all(Array.from({ length: 120 }, () => makeKey(before))).finally(before.stop);
  const postern = await startConfigured('{}\n', store);
  onTestFinished(() => postern.stop());
  await until('memory has all keys', async () => (await held(postern)) === made.length, { everyMs: 50 });
  // It has them a moment before it knows that there are no more.
  await until(
    'nothing is read for a key that nobody made',
    async () => {
      const readsBefore = await reads(postern);
      expect(await ask(postern, unknownKey())).toMatchObject({ reason: 'unknown' });
      return (await reads(postern)) === readsBefore;
    },
    { everyMs: 50 },
  );

  const readsBefore = await reads(postern);
  for (const { key } of made.slice(0, 20)) {
    expect(await ask(postern, key)).toMatchObject({ code: 0 });
    expect(await ask(postern, unknownKey())).toMatchObject({ reason: 'unknown' });
  }
  expect(await reads(postern)).toBe(readsBefore);
  // Whoever makes a key uses it at once, and whoever revokes one is not told that it passes.
  const { key, id } = await makeKey(postern);
  expect(await ask(postern, key)).toMatchObject({ code: 0 });
  await admin(postern, 'DELETE', `/admin/api-keys/${id}`);
  expect(await ask(postern, key)).toMatchObject({ reason: 'revoked' });
});

/** What the log of the store's operations counts of lookups of a key. */
async function reads(postern: Postern): Promise<number> {
  const text = await (await fetch(`${postern.url}/metrics`)).text();
  const count = /^postern_store_operation_duration_seconds_count\{operation="find_key"\} (\d+)$/m.exec(text);
  return Number(count?.[1] ?? 0);
}

/** How many keys memory holds. */
async function held(postern: Postern): Promise<number> {
  const text = await (await fetch(`${postern.url}/metrics`)).text();
  return Number(/^postern_cache_entries\{kind="key"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

function ask({ check }: Postern, key: string, address = '198.51.100.1'): Promise<CheckAnswer> {
  const request = checkRequest({ authorization: `Bearer ${key}` }, address);
  return sendCheck(`${check.host}:${check.port}`, request);
}
