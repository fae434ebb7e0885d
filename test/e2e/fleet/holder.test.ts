import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { expect, inject, it, onTestFinished } from 'vitest';
import { KeyHolderService } from '../../../src/grpc/gen/postern/holder/v1/key_holder.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { admin, makeKey } from '../stack.ts';

it('a key that is ended by itself on one replica is denied by the other, though nothing is enforced yet', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-holder-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'postern.yaml');
  await writeFile(
    config,
    'mode: observe\nsettle_timeout: 60s\ncheck: { store_timeout: 5s }\nrules: [{ match: { path: /* }, public: true }]\n',
  );
  const settings = { POSTERN_CONFIG: config, POSTERN_STORE: freshDatabase(inject('mongoUri')).uri };
  const replicas = await Promise.all(
    ['one', 'two'].map((name) => startPostern({ ...settings, POSTERN_REPLICA_ID: name })),
  );
  onTestFinished(async () => void (await Promise.all(replicas.map((replica) => replica.stop()))));
  const [one, two] = replicas as [Postern, Postern];
  const made = await makeKey(one, { permissions: ['read:a'] });
  const own = async (postern: Postern, method: string, path: string, key = made.key) => {
    const response = await fetch(postern.url + path, { method, headers: { authorization: `Bearer ${key}` } });
    return { status: response.status, ...Object(await response.json()) };
  };
  for (const postern of replicas)
    expect(await own(postern, 'GET', '/api-key')).toMatchObject({ status: 200, data: { id: made.id } });
  expect(await own(one, 'POST', '/api-key:rotate')).toMatchObject({
    status: 404,
    error: { code: 'NOT_FOUND' },
  });

  const revoked = await own(one, 'DELETE', '/api-key');
  expect(revoked).toMatchObject({ status: 200, data: { state: 'revoked', unconfirmed_replicas: [] } });
  expect(Date.parse(revoked.data.effective_at)).toBeLessThanOrEqual(Date.now());
  expect(await own(two, 'GET', '/api-key')).toMatchObject({
    status: 401,
    error: { code: 'revoked_api_key' },
  });
  const check = await sendCheck(
    `${two.check.host}:${two.check.port}`,
    checkRequest({ authorization: `Bearer ${made.key}` }, '192.0.2.1', { permissions: 'read:a' }),
  );
  expect(check).toMatchObject({ reason: 'revoked' });
  const journal = await admin(one, 'GET', `/admin/audit-events?actor=${made.id}`);
  expect(journal).toMatchObject({ data: [{ action: 'RevokeKey', target: made.id, outcome: 'ok' }] });
  const counted = /^postern_holder_calls_total\{operation="revoke",result="ok"\} 1$/m;
  expect(await (await fetch(`${one.url}/metrics`)).text()).toMatch(counted);
});

it('a key that is ended over gRPC on one replica is denied by the other, and what is off is not there', async () => {
  const settings = { POSTERN_STORE: freshDatabase(inject('mongoUri')).uri };
  const replicas = await Promise.all(
    ['one', 'two'].map((name) => startPostern({ ...settings, POSTERN_REPLICA_ID: name })),
  );
  onTestFinished(async () => void (await Promise.all(replicas.map((replica) => replica.stop()))));
  const [one, two] = replicas as [Postern, Postern];
  const made = await makeKey(one, { permissions: ['read:a'] });
  const Client = makeGenericClientConstructor(KeyHolderService, 'KeyHolder');
  const own = ({ admin: { host, port } }: Postern, method: string) => {
    const client = new Client(`${host}:${port}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${made.key}`);
    return new Promise<{ code: number; key?: { id: string } }>((resolve) => {
      const invoke = (client[method] as (...args: unknown[]) => void).bind(client);
      invoke({}, metadata, (error: ServiceError | null, answer: { key: { id: string } }) =>
        resolve(error ?? { ...answer, code: status.OK }),
      );
    }).finally(() => client.close());
  };
  for (const postern of replicas) {
    expect(await own(postern, 'getKey')).toMatchObject({ code: status.OK, key: { id: made.id } });
    expect(await own(postern, 'rotateKey')).toMatchObject({ code: status.UNIMPLEMENTED });
  }
  expect(await own(one, 'revokeKey')).toMatchObject({ code: status.OK, unconfirmed_replicas: [] });
  expect(await own(two, 'getKey')).toMatchObject({ code: status.UNAUTHENTICATED });
  const journal = await admin(one, 'GET', `/admin/audit-events?actor=${made.id}`);
  expect(journal).toMatchObject({ data: [{ action: 'RevokeKey', target: made.id, outcome: 'ok' }] });
});

it('guesses by it are told of as those of Checks are', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postern-guess-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'postern.yaml');
  await writeFile(config, 'events: { many_failures: { count: 5, window: 60s } }\n');
  const postern = await startPostern({ POSTERN_CONFIG: config, POSTERN_STORE: 'sqlite::memory:' });
  onTestFinished(() => postern.stop());
  for (let times = 0; times < 5; times++) {
    const headers = { authorization: `Bearer mvra_live_${'0'.repeat(30)}${times}a` };
    expect((await fetch(`${postern.url}/api-key`, { method: 'DELETE', headers })).status).toBe(401);
  }
  await until('the notice', async () => {
    const { data } = Object(
      await admin(postern, 'GET', '/admin/audit-events?notices=true&action=ManyFailures'),
    );
    return data.length === 1 && data[0].address === '127.0.0.1';
  });
});
