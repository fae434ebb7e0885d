import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { adminKey, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { makeKey } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

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
  expect(await refused.json()).toMatchObject({
    error: { code: 'UNAVAILABLE', message: expect.stringMatching(/its disk is full or broken/) },
  });
  const answers = await Promise.all([key, unasked, unknownKey()].map(ask));
  expect(answers).toEqual(['allowed', 'allowed', 'unknown']);
  await expect
    .poll(() => postern.log())
    .toMatch(/the database file could not be read or written: the disk is full or broken/);
  await expect.poll(() => postern.log()).toMatch(/something is wrong with the store/);

  limitFiles('unlimited');
  await until('changes are taken again', async () => (await create()).status === 201);
  expect(await ask(key)).toBe('allowed');
});

it('a database file that is deleted under the service turns /readyz and refuses changes, and doctor says it', async () => {
  const path = join(scratch(), 'postern.db');
  const postern = await startPostern({ POSTERN_STORE: `sqlite:${path}` });
  onTestFinished(() => postern.stop());
  const ready = () => fetch(`${postern.url}/readyz`);
  const asAdmin = { headers: { authorization: `Bearer ${adminKey}` } };
  const { key } = await makeKey(postern);
  const { host, port } = postern.check;
  const ask = () => sendCheck(`${host}:${port}`, checkRequest({ authorization: `Bearer ${key}` }));
  expect((await ask()).code).toBe(0);
  rmSync(path);
  const body = JSON.stringify({ name: 'one more' });
  const refused = await fetch(`${postern.url}/admin/api-keys`, { ...asAdmin, method: 'POST', body });
  expect([refused.status, await refused.json()]).toMatchObject([
    503,
    { error: { code: 'UNAVAILABLE', message: expect.stringMatching(/deleted or replaced/) } },
  ]);
  const answer = await ready();
  expect([answer.status, await answer.json()]).toMatchObject([
    503,
    { reason: expect.stringMatching(/deleted or replaced/) },
  ]);
  // What memory knows it answers, as in any outage.
  expect((await ask()).code).toBe(0);
  const diagnostics = await (await fetch(`${postern.url}/admin/diagnostics`, asAdmin)).json();
  const finding = expect.objectContaining({ level: 'error', code: 'store.file_lost' });
  expect(diagnostics).toMatchObject({ data: { findings: expect.arrayContaining([finding]) } });
  await expect.poll(() => postern.log()).toMatch(/the database file was deleted or replaced/);
});
