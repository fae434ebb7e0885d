import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { adminKey, startPostern } from '../real/postern.ts';
import { until } from '../real/until.ts';
import { checkRequest, sendCheck } from './check-client.ts';
import { makeKey } from './stack.ts';
import { unknownKey } from './unknown-key.ts';

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-faults-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

it('a full disk refuses changes with 503 and says so; Checks go on, and with room so do changes', async () => {
  const path = join(scratch(), 'postern.db');
  const postern = await startPostern({ POSTERN_STORE: `sqlite:${path}` });
  onTestFinished(() => postern.stop());
  const limitFiles = (bytes: string) =>
    execFileSync('prlimit', ['--pid', String(postern.pid), `--fsize=${bytes}:unlimited`]);
  const create = () =>
    fetch(`${postern.url}/admin/api-keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}` },
      body: JSON.stringify({ name: 'one more' }),
    });
  const ask = async (key: string) => {
    const { host, port } = postern.check;
    const answer = await sendCheck(`${host}:${port}`, checkRequest({ authorization: `Bearer ${key}` }));
    return answer.code === 0 ? 'allowed' : answer.reason;
  };
  const { key } = await makeKey(postern);
  const { key: unasked } = await makeKey(postern);
  expect(await ask(key)).toBe('allowed');

  limitFiles(String(statSync(`${path}-wal`).size));
  const refused = await create();
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: { code: 'UNAVAILABLE' } });
  const answers = await Promise.all([key, unasked, unknownKey()].map(ask));
  expect(answers).toEqual(['allowed', 'allowed', 'unknown']);
  expect(postern.log()).toMatch(/the database file could not be read or written: the disk is full or broken/);

  limitFiles('unlimited');
  await until('changes are taken again', async () => (await create()).status === 201);
  expect(await ask(key)).toBe('allowed');
});
