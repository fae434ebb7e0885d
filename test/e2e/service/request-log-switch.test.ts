import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../../src/client/client.ts';
import { postern as run } from '../../cli/console.ts';
import { createBrowser } from '../../console/browser.ts';
import { adminKey, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, openCheckClient } from '../check-client.ts';
import { makeKey } from '../stack.ts';

it('the log of requests is switched off and on in a running service, and says on every face that it is off', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'postern.yaml');
  const put = (isOn: boolean) =>
    writeFile(file, `usage_flush_interval: 100ms\nrequest_log: { enabled: ${isOn} }\n`);
  await put(true);
  const postern = await startPostern({ POSTERN_STORE: 'sqlite::memory:', POSTERN_CONFIG: file });
  onTestFinished(() => postern.stop());
  const { id, key } = await makeKey(postern);
  const checks = openCheckClient(`${postern.check.host}:${postern.check.port}`);
  const client = createClient({ address: `${postern.admin.host}:${postern.admin.port}`, adminKey });
  onTestFinished(() => checks.close());
  onTestFinished(() => client.close());
  const use = () => checks.send(checkRequest({ authorization: `Bearer ${key}` }));
  const get = async (path: string) => {
    const response = await fetch(postern.url + path, { headers: { authorization: `Bearer ${adminKey}` } });
    return { status: response.status, json: (await response.json()) as Rows };
  };
  const rows = async () => (await get(`/admin/api-keys/${id}/requests`)).json.data ?? [];
  const switchTo = async (isOn: boolean) => {
    await put(isOn);
    await postern.kill('SIGHUP');
    await until(`it is ${isOn}`, async () => (await get('/admin/requests')).status === (isOn ? 200 : 404));
  };

  await use();
  await until('the first request is in it', async () => (await rows()).length === 1);
  await switchTo(false);
  const off = { code: 'NOT_FOUND', message: expect.stringContaining('request_log.enabled is false') };
  for (const path of ['/admin/requests', `/admin/api-keys/${id}/requests`]) {
    expect(await get(path)).toMatchObject({ status: 404, json: { error: off } });
  }
  for (const asked of [{}, { id }]) await expect(client.listKeyRequests(asked)).rejects.toMatchObject(off);
  const environment = { POSTERN_ADDRESS: postern.url, POSTERN_ADMIN_KEY: adminKey };
  for (const argv of [['requests'], ['requests', id]]) {
    const said = await run(argv, { environment });
    expect(said).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('is false') });
    expect(said.stderr).not.toContain('keys list');
  }
  // What is not there is looked for where it would be.
  const noRole = await run(['roles', 'get', 'nobody'], { environment });
  expect(noRole.stderr).toContain('See which there are with "postern roles list".');
  const browser = createBrowser(postern.url);
  await browser.signIn(adminKey);
  expect(await browser.get('/console/requests')).toMatchObject({
    status: 200,
    text: expect.stringContaining('Requests are not logged here.'),
  });
  expect((await browser.get(`/console/keys/${id}`)).status).toBe(200);

  // Checks are answered as before, and are not logged.
  for (let at = 0; at < 5; at++) expect((await use()).code).toBe(0);
  await switchTo(true);
  await until('what comes now is in it', async () => {
    await use();
    return (await rows()).reduce((sum, { count }) => sum + count, 0) > 1;
  });
});

interface Rows {
  readonly data?: readonly { readonly count: number }[];
}
