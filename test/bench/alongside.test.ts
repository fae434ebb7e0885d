import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { benchOwner, leavingOwner, posternWorks, startAlongside } from '../../bench/checks/alongside.ts';
import { createAdminCalls } from '../../bench/common/admin-calls.ts';
import { adminKey, type Postern, startPostern } from '../real/postern.ts';
import { until } from '../real/until.ts';

let folder: string;
let settingsFile: string;
let postern: Postern;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-alongside-'));
  settingsFile = join(folder, 'postern.yaml');
  await writeFile(settingsFile, 'plans: { free: { limit: 1, window: 60s } }\n');
  postern = await startPostern({ POSTERN_CONFIG: settingsFile });
});
afterAll(async () => {
  await postern?.stop();
  await rm(folder, { recursive: true, force: true });
});

it.each(posternWorks)('has a service do it again and again: %s', async (work) => {
  const { url, pid } = postern;
  const { call, close } = createAdminCalls(url, adminKey);
  const made = await call('POST', '/admin/api-keys', { name: 'Leaves', owner: leavingOwner }).finally(close);
  expect(made.status).toBe(201);
  const alongside = startAlongside(work, { pid, service: { url, adminKey, settingsFile } });
  await until('it was done twice', () => alongside.done() > 1);
  await expect(alongside.stop()).resolves.toBeUndefined();
});

it('says when the subscriptions end that it ends, and what is answered from then on', async () => {
  const { url, pid } = postern;
  const alongside = startAlongside('all subscriptions end at once', {
    ...{ pid, service: { url, adminKey, settingsFile } },
  });
  const change = await alongside.begun();
  const { call, close } = createAdminCalls(url, adminKey);
  const { json } = await call('GET', `/admin/owners/${benchOwner}`).finally(close);
  await alongside.stop();
  const { data } = json as { data: { active_until: string } };
  expect(change).toEqual({ at: expect.any(Number), outcomes: [402] });
  // Times are told to the second.
  expect(Math.abs(Date.parse(data.active_until) - (change?.at ?? 0))).toBeLessThan(1_000);
});

it('gives back to subscriptions what it took from them', async () => {
  const { call, close } = createAdminCalls(postern.url, adminKey);
  const { json } = await call('GET', `/admin/owners/${benchOwner}`).finally(close);
  expect(json).toMatchObject({ data: { active_until: null } });
});

it('took each of the settings over, which stayed what they were but for the level of the log', async () => {
  await until('they were taken over', () =>
    postern.logLines().some(({ msg }) => /settings/.test(String(msg))),
  );
  expect(postern.logLines().filter(({ level }) => level === 'error')).toEqual([]);
});

it('tells when the service refuses', async () => {
  const service = { url: postern.url, adminKey: 'k'.repeat(40), settingsFile };
  const alongside = startAlongside('the journal grows', { pid: postern.pid, service });
  await expect(alongside.stop()).rejects.toThrow('401');
});
