import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { repository } from '../image/image-tree.ts';
import { type ApiServer, startApiServer } from './api-server.ts';
import { objectsIn, type RunningController, startController } from './controller.ts';

const manifest = (name: string) => readFileSync(`${repository}deploy/kubernetes/${name}.yaml`, 'utf8');

let server: ApiServer;
let postern: Postern;
let controller: RunningController;
let kubeconfig: string;
let shop: ReturnType<typeof objectsIn>;

beforeAll(async () => {
  [server, postern] = await Promise.all([startApiServer(), startPostern({})]);
  await server.apply(manifest('namespace'));
  await server.apply(manifest('controller'), { namespace: 'postern' });
  await server.apply('{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }');
  const token = await server.tokenOf('postern', 'postern-controller');
  kubeconfig = await server.kubeconfig({ token, namespace: 'postern' });
  shop = objectsIn(server, postern, 'shop');
  controller = await startController(postern, kubeconfig);
}, 300_000);
afterAll(async () => {
  await controller?.remove();
  await postern?.stop();
  await server?.stop();
});

describe('an ApiKey, by a controller with the rights of its ClusterRole', () => {
  it('becomes a key of its namespace, whose secret is in its Secret before it is ready', async () => {
    await shop.put('billing', {
      secretName: 'billing-key',
      permissions: ['read:assets'],
      labels: { team: 'billing' },
    });
    const { keyId } = await shop.status('billing', { ready: true, reason: 'KeyIssued' });

    const { body } = await shop.rest('GET', `/admin/api-keys/${keyId}`);
    expect(body.data).toMatchObject({
      name: 'shop/billing',
      owner: 'shop',
      permissions: ['read:assets'],
      state: 'active',
      expires_at: null,
      labels: { team: 'billing', 'postern.dev/apikey': 'shop/billing' },
    });
    const found = await shop.rest('POST', '/admin/api-keys:find', { key: await shop.secret('billing-key') });
    expect(found.body.data.id).toBe(keyId);
    const { body: secret } = await server.call('GET', `${shop.secretsPath}/billing-key`);
    const { body: apiKey } = await server.call('GET', `${shop.keysPath}/billing`);
    expect(secret.metadata.ownerReferences).toEqual([
      {
        apiVersion: 'postern.dev/v1alpha1',
        kind: 'ApiKey',
        name: 'billing',
        uid: apiKey.metadata.uid,
        controller: true,
      },
    ]);
  });

  it('is rotated with a grace period, so that the key before goes on for so long and no longer', async () => {
    await shop.put('quick', { secretName: 'quick-key', rotateEvery: '4s', gracePeriod: '3s' });
    const { keyId: first } = await shop.status('quick', { ready: true });
    const before = await secretOf('quick-key');
    const { keyId: second } = await shop.status('quick', { ready: true, other: first });
    expect(await shop.denial(before)).toBeNull();

    const { body } = await shop.rest('GET', `/admin/api-keys/${second}`);
    expect(body.data.rotated_from).not.toBeNull();
    await until('the key before has ended', async () => (await shop.denial(before)) === 'expired');
    await shop.put('quick', { secretName: 'quick-key', gracePeriod: '3s' });
    await shop.status('quick', { ready: true });
    expect(await shop.denial(await secretOf('quick-key'))).toBeNull();
  });

  it('puts right what somebody does to its key', async () => {
    const asked = { secretName: 'drift-key', permissions: ['read:a'], name: 'Drift', gracePeriod: '1h' };
    await shop.put('drift', asked);
    const { keyId } = await shop.status('drift', { ready: true });
    const path = `/admin/api-keys/${keyId}`;
    const key = async () => (await shop.rest('GET', path)).body.data;

    await shop.rest('POST', `${path}/disable`);
    await until('it is enabled', async () => (await key()).state === 'active');
    await shop.rest('PATCH', path, { permissions: ['read:a', 'write:a'], name: 'Mine', external_id: null });
    await until('it is as asked for', async () => {
      const { permissions, name, external_id } = await key();
      return permissions.length === 1 && name === 'Drift' && external_id !== null;
    });
    await shop.rest('PATCH', path, { expires_at: '2031-01-01T00:00:00Z' });
    await until('it has no end', async () => (await key()).expires_at === null);
    expect((await shop.status('drift', { ready: true })).keyId).toBe(keyId);

    await shop.rest('DELETE', path);
    const { keyId: other } = await shop.status('drift', { ready: true, other: keyId });
    await until('the new key is in the Secret', async () => {
      const { body } = await shop.rest('POST', '/admin/api-keys:find', { key: await secretOf('drift-key') });
      return body.data.id === other;
    });
  });

  it('puts right what somebody does to its Secret, and denies nobody who has the key of before', async () => {
    await shop.put('kept', { secretName: 'kept-key' });
    await shop.status('kept', { ready: true });
    const path = `${shop.secretsPath}/kept-key`;
    for (const harm of [
      () => server.call('DELETE', path),
      () => server.call('PATCH', path, { data: { key: Buffer.from('mine').toString('base64') } }),
      () => server.call('PATCH', path, { data: null }),
    ]) {
      const before = await secretOf('kept-key');
      expect((await harm()).status).toBe(200);
      await until('there is another key', async () => {
        const now = await shop.secret('kept-key');
        return now !== null && now !== before && (await shop.denial(now)) === null;
      });
      expect(await shop.denial(before)).toBeNull();
    }
    const before = await secretOf('kept-key');
    await server.call('PATCH', path, { metadata: { labels: null, ownerReferences: null } });
    await server.call('PATCH', `${shop.keysPath}/kept`, { spec: { labels: { touched: 'yes' } } });
    await shop.status('kept', { ready: true });
    const { body } = await server.call('GET', path);
    expect(body.metadata).toMatchObject({ ownerReferences: [{ kind: 'ApiKey', name: 'kept' }] });
    expect(await shop.secret('kept-key')).toBe(before);
  });

  it('never touches a Secret that was there before', async () => {
    const theirs = { key: Buffer.from('theirs').toString('base64') };
    const metadata = { name: 'their-key' };
    await server.call('POST', shop.secretsPath, { apiVersion: 'v1', kind: 'Secret', metadata, data: theirs });
    await shop.put('greedy', { secretName: 'their-key' });

    await shop.status('greedy', { ready: false, reason: 'SecretExists' });
    expect(await shop.secret('their-key')).toBe('theirs');
    const { body } = await shop.rest('GET', '/admin/api-keys?owner=shop&page_size=1000');
    expect(body.data.filter(({ name }: { name: string }) => name === 'shop/greedy')).toEqual([]);
    await server.call('DELETE', `${shop.secretsPath}/their-key`);
    await server.call('PATCH', `${shop.keysPath}/greedy`, { spec: { labels: { tried: 'again' } } });
    await shop.status('greedy', { ready: true });
    expect(await shop.denial(await secretOf('their-key'))).toBeNull();
  });

  it('revokes its keys when it is deleted, those in their grace period too', async () => {
    await shop.put('gone', { secretName: 'gone-key', gracePeriod: '1h' });
    const { keyId } = await shop.status('gone', { ready: true });
    const first = await secretOf('gone-key');
    await server.call('DELETE', `${shop.secretsPath}/gone-key`);
    await shop.status('gone', { ready: true, other: keyId });
    const second = await secretOf('gone-key');
    expect([await shop.denial(first), await shop.denial(second)]).toEqual([null, null]);

    await server.call('DELETE', `${shop.keysPath}/gone`);
    await until('it is gone', async () => (await server.call('GET', `${shop.keysPath}/gone`)).status === 404);
    expect([await shop.denial(first), await shop.denial(second)]).toEqual(['revoked', 'revoked']);
  });

  it('takes an owner, a scheme and an environment of its own, and says what the service does not take', async () => {
    await shop.put('other', {
      secretName: 'other-key',
      owner: 'acme',
      environment: 'test',
      roles: ['reader'],
    });
    const { conditions: waits } = await shop.status('other', { ready: false, reason: 'PosternRefused' });
    expect(waits[0]?.message).toContain('there is no role reader');
    await server.apply(clusterObject('ApiKeyRole', 'reader', { permissions: ['read:*'] }));
    const { keyId } = await shop.status('other', { ready: true });
    const { body } = await shop.rest('GET', `/admin/api-keys/${keyId}`);
    expect(body.data).toMatchObject({ owner: 'acme', environment: 'test', roles: ['reader'] });

    await shop.put('odd', { secretName: 'odd-key', scheme: 'nobodys' });
    const { conditions } = await shop.status('odd', { ready: false, reason: 'PosternRefused' });
    expect(conditions[0]?.message).toContain('scheme');
  });
});

describe('an ApiKeyRole and an ApiKeyOwner', () => {
  it('are what they say in Postern, whoever changes them there', async () => {
    await server.apply(
      clusterObject('ApiKeyRole', 'writer', { permissions: ['write:a'], description: 'Writes' }),
    );
    await server.apply(clusterObject('ApiKeyOwner', 'emea', { id: 'EMEA sales', name: 'Sales', keysMax: 9 }));
    await clusterStatus('apikeyroles', 'writer', 'RolePut');
    await clusterStatus('apikeyowners', 'emea', 'OwnerPut');
    const role = async () => (await shop.rest('GET', '/admin/roles/writer')).body.data;
    const owner = async () => (await shop.rest('GET', '/admin/owners/EMEA%20sales')).body.data;
    expect(await role()).toMatchObject({ permissions: ['write:a'], description: 'Writes' });
    expect(await owner()).toMatchObject({ name: 'Sales', keys_max: 9, suspended: false });

    await shop.rest('PUT', '/admin/roles/writer', { permissions: ['write:*'] });
    await shop.rest('PATCH', '/admin/owners/EMEA%20sales', { keys_max: 1, plan: null, labels: { a: 'b' } });
    await until('the role is as asked for', async () => (await role()).permissions[0] === 'write:a');
    await until('the owner is as asked for', async () => (await owner()).keys_max === 9);
    expect((await owner()).labels).toEqual({});
  });

  it('are of the older of two that name the same, and a role goes with its last', async () => {
    await server.apply(clusterObject('ApiKeyRole', 'first', { id: 'both', permissions: ['read:a'] }));
    await clusterStatus('apikeyroles', 'first', 'RolePut');
    await server.apply(clusterObject('ApiKeyRole', 'second', { id: 'both', permissions: ['read:b'] }));
    await clusterStatus('apikeyroles', 'second', 'Conflict');
    expect((await shop.rest('GET', '/admin/roles/both')).body.data.permissions).toEqual(['read:a']);

    await server.call('DELETE', `${clusterPath}/apikeyroles/first`);
    await clusterStatus('apikeyroles', 'second', 'RolePut');
    expect((await shop.rest('GET', '/admin/roles/both')).body.data.permissions).toEqual(['read:b']);
    await server.call('DELETE', `${clusterPath}/apikeyroles/second`);
    await until('the role is gone', async () => (await shop.rest('GET', '/admin/roles/both')).status === 404);
  });

  it('leaves an owner as it was when its ApiKeyOwner is deleted', async () => {
    await server.apply(clusterObject('ApiKeyOwner', 'staying', { suspended: true }));
    await clusterStatus('apikeyowners', 'staying', 'OwnerPut');
    await server.call('DELETE', `${clusterPath}/apikeyowners/staying`);
    await until(
      'it is gone',
      async () => (await server.call('GET', `${clusterPath}/apikeyowners/staying`)).status === 404,
    );
    expect((await shop.rest('GET', '/admin/owners/staying')).body.data.suspended).toBe(true);
  });
});

describe('the definitions refuse', () => {
  const refused = async (spec: Record<string, unknown>) =>
    await shop.put('refused', { secretName: 'refused-key', ...spec }).then(
      () => 'taken',
      (error: Error) => error.message,
    );

  it('what no ApiKey may be', async () => {
    expect(await refused({ permissions: ['read:a', 'admin:write'] })).toContain(
      'no ApiKey makes an admin key',
    );
    expect(await refused({ rotateEvery: '0.5s' })).toContain('is 1s or more');
    expect(await refused({ rotateEvery: 'soon' })).toContain('spec.rotateEvery');
    expect(await refused({ secretName: 'No Name' })).toContain('spec.secretName');
    expect(await refused({ labels: { 'postern.dev/uid': 'x' } })).toContain('do not begin with postern.dev/');
    expect(await refused({ permissions: ['a|b'] })).toContain('spec.permissions[0]');
    expect(await refused({ ownr: 'acme' })).toContain('ownr');
  });

  it('another owner, scheme or environment of an ApiKey that is there', async () => {
    await shop.put('fixed', { secretName: 'fixed-key' });
    await shop.status('fixed', { ready: true });
    for (const member of ['owner', 'scheme', 'environment']) {
      const changed = shop.put('fixed', { secretName: 'fixed-key', [member]: 'test' });
      await expect(changed).rejects.toThrow(`the ${member} of a key cannot be changed`);
    }
  });
});

const clusterPath = '/apis/postern.dev/v1alpha1';

function clusterObject(kind: string, name: string, spec: Record<string, unknown>): string {
  return JSON.stringify({ apiVersion: 'postern.dev/v1alpha1', kind, metadata: { name }, spec });
}

async function clusterStatus(plural: string, name: string, reason: string): Promise<void> {
  await until(
    `${name} has the reason ${reason}`,
    async () => {
      const { body } = await server.call('GET', `${clusterPath}/${plural}/${name}`);
      return body.status?.conditions?.[0]?.reason === reason;
    },
    { everyMs: 100 },
  );
}

async function secretOf(name: string): Promise<string> {
  return (await shop.secret(name)) ?? '';
}
