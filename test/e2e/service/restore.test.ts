import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { postern as command } from '../../cli/console.ts';
import { adminKey, launchPostern, type Postern, startPostern } from '../../real/postern.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin } from '../stack.ts';

let folder: string;
let store: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-restore-'));
  store = `sqlite:${join(folder, 'data', 'postern.db')}`;
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Made {
  readonly id: string;
  readonly key: string;
}

async function start(): Promise<Postern> {
  const started = await startPostern({ POSTERN_STORE: store });
  onTestFinished(() => started.stop());
  return started;
}

async function make(service: Postern, body: object): Promise<Made> {
  const { data } = (await admin(service, 'POST', '/admin/api-keys', body)) as { data: Made };
  return data;
}

async function reasonOf({ check: { host, port } }: Postern, { key }: Made): Promise<string> {
  const answer = await sendCheck(`${host}:${port}`, checkRequest({ authorization: `Bearer ${key}` }));
  return answer.code === 0 ? 'allowed' : String(answer.reason);
}

/** A command on the store, as on the machine of the service. */
async function onStore(...argv: string[]) {
  return command(argv, { environment: { POSTERN_STORE: store }, files: { 'audit.jsonl': exported } });
}

let exported = '';

it('a key that was revoked after the backup is out at the first Check of what was restored', async () => {
  const first = await start();
  const [kept, revoked, disabled, narrowed, rotated, ofOwner] = [
    await make(first, { name: 'kept' }),
    await make(first, { name: 'revoked' }),
    await make(first, { name: 'disabled' }),
    await make(first, { name: 'narrowed', permissions: ['read', 'write'] }),
    await make(first, { name: 'rotated' }),
    await make(first, { name: 'of an owner', owner: 'acme' }),
  ];
  const backup = join(folder, 'backup.db');
  const backedUp = await onStore('backup', backup);
  expect(backedUp).toMatchObject({ exitCode: 0, stderr: '' });
  expect(backedUp.stdout).toMatch(
    /^backed up to .*backup\.db, by the running service: 6 keys, and the audit log up to evt_0{15}6:/,
  );

  await admin(first, 'DELETE', `/admin/api-keys/${revoked.id}`);
  await admin(first, 'POST', `/admin/api-keys/${disabled.id}/disable`);
  await admin(first, 'PATCH', `/admin/api-keys/${narrowed.id}`, { permissions: ['read'] });
  const successor = (await admin(first, 'POST', `/admin/api-keys/${rotated.id}/rotate`, {})) as {
    data: Made;
  };
  await admin(first, 'PUT', '/admin/owners/acme', { suspended: true });
  const environment = { POSTERN_ADDRESS: first.url, POSTERN_ADMIN_KEY: adminKey };
  exported = (await command(['audit', 'export'], { environment })).stdout;
  await first.stop();

  const restored = await onStore('restore', 'from', backup);
  expect(restored).toMatchObject({ exitCode: 0, stderr: '' });
  const refused = await launchPostern({ POSTERN_STORE: store }, folder);
  expect(await refused.exited).toBe(1);
  expect(refused.log()).toContain('the store was restored from a backup at');
  expect(refused.log()).toContain('"postern restore replay"');

  const dry = await onStore('restore', 'replay', 'audit.jsonl', '--dry-run');
  expect(dry).toMatchObject({ exitCode: 0, stderr: '' });
  const replayed = await onStore('restore', 'replay', 'audit.jsonl');
  expect(replayed).toMatchObject({ exitCode: 0, stderr: '' });
  expect(replayed.stdout.split('\n').map((line) => line.replace(/ \(evt_\d+\)$/, ''))).toEqual([
    `revoked ${revoked.id}`,
    `disabled ${disabled.id}`,
    `narrowed ${narrowed.id}`,
    `narrowed ${rotated.id}`,
    'owner narrowed acme',
    `not there any more: ${successor.data.id} "rotated", made after the backup; make a new key for whoever had it`,
    '5 changes after the backup: 5 taken away again',
    expect.stringMatching(/^done: what was changed after evt_0{14}11 .* the service can be started$/),
    '',
  ]);
  expect(dry.stdout.match(/^would be /gm)).toHaveLength(5);

  const second = await start();
  expect(await reasonOf(second, revoked)).toBe('revoked');
  const others = [disabled, rotated, successor.data, ofOwner, kept].map((made) => reasonOf(second, made));
  expect(await Promise.all(others)).toEqual(['disabled', 'expired', 'unknown', 'owner_inactive', 'allowed']);
  expect(await admin(second, 'GET', `/admin/api-keys/${narrowed.id}`)).toMatchObject({
    data: { permissions: ['read'] },
  });
  const { data: events } = (await admin(second, 'GET', '/admin/audit-events?page_size=6')) as {
    data: { action: string; actor: string; request_id: string }[];
  };
  expect(events.map(({ action, actor }) => [action, actor])).toEqual(
    ['RestoreStore', 'PutOwner', 'UpdateKey', 'UpdateKey', 'DisableKey', 'RevokeKey'].map((action) => [
      action,
      'postern restore',
    ]),
  );
  expect(events.at(-1)?.request_id).toBe('evt_0000000000000007');
});
