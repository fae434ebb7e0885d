import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin, makeKey } from '../stack.ts';

it('a key that nobody uses is told of and then disabled, and counts as used once it is enabled again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-unused-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'postern.yaml');
  await writeFile(
    config,
    'usage_flush_interval: 100ms\nunused_keys: { notify_after: 1s, disable_after: 1500ms }\n',
  );
  const postern = await startPostern({ POSTERN_CONFIG: config, POSTERN_STORE: 'sqlite::memory:' });
  onTestFinished(() => postern.stop());
  const made = await makeKey(postern, { owner: 'acme' });
  const other = await makeKey(postern, { name: 'An admin key', permissions: ['admin:read'] });
  const dataOf = async (path: string) => Object(await admin(postern, 'GET', path)).data;
  const stateOf = async (id: string) => (await dataOf(`/admin/api-keys/${id}`)).state;
  const journal = (query: string) => dataOf(`/admin/audit-events?${query}`);

  await until('it is disabled', async () => (await stateOf(made.id)) === 'disabled');
  const [notice] = await journal(`target=${made.id}&notices=true&action=KeyUnused`);
  expect(notice).toMatchObject({ actor: null, target_name: 'e2e', owner: 'acme' });
  const [entry] = await journal(`target=${made.id}&action=DisableKey`);
  expect(entry).toMatchObject({
    ...{ actor: 'postern', outcome: 'ok', before: { state: 'active' }, after: { state: 'disabled' } },
  });
  expect(notice.id < entry.id).toBe(true);
  const denied = await sendCheck(
    `${postern.check.host}:${postern.check.port}`,
    checkRequest({ authorization: `Bearer ${made.key}` }, '192.0.2.1', {}),
  );
  expect(denied).toMatchObject({ reason: 'disabled', httpStatus: 401 });
  await until('its line', () => postern.logLines().some(({ event }) => event === 'key.unused'));

  await admin(postern, 'POST', `/admin/api-keys/${made.id}/enable`);
  await until(
    'it is disabled again',
    async () => (await journal(`target=${made.id}&action=DisableKey`)).length === 2,
  );
  expect(await journal(`target=${made.id}&notices=true&action=KeyUnused`)).toHaveLength(2);
  expect(await stateOf(other.id)).toBe('active');
  const disabled = /^postern_unused_keys_total\{result="disabled"\} 2$/m;
  await until('it is counted', async () =>
    disabled.test(await (await fetch(`${postern.url}/metrics`)).text()),
  );
});

it('keys that nobody uses are disabled once settings that are read again say so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-unused-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'postern.yaml');
  const rest = 'usage_flush_interval: 100ms\n';
  await writeFile(config, `${rest}unused_keys: { disable_after: 90d }\n`);
  const postern = await startPostern({ POSTERN_CONFIG: config, POSTERN_STORE: 'sqlite::memory:' });
  onTestFinished(() => postern.stop());
  const { id } = await makeKey(postern);
  const state = async () => Object(await admin(postern, 'GET', `/admin/api-keys/${id}`)).data.state;

  await writeFile(config, `${rest}unused_keys: { disable_after: 1s }\n`);
  await until('it is disabled', async () => (await state()) === 'disabled');
  await until('the log says what changed', () =>
    postern.logLines().some(({ changed }) => String(changed) === 'unused_keys.disable_after'),
  );
});
