import { expect, it, onTestFinished } from 'vitest';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { refusal, root } from '../admin-calls.ts';
import { createTestService } from '../service.ts';

/** A service whose store answers what may lag as the key was when it was frozen, and tells of each read whether it might. */
async function setting() {
  const plain = createSqliteStore({ path: ':memory:', now: Date.now });
  const frozen = new Map<string, KeyRecord | null>();
  const reads: ('lagging' | 'latest')[] = [];
  const getKey: Store['getKey'] = async (id, mayLag) => {
    reads.push(mayLag === true ? 'lagging' : 'latest');
    const seen = frozen.get(id);
    return mayLag === true && seen !== undefined ? seen : plain.getKey(id);
  };
  const requests = { areHidden: false, reads: [] as ('lagging' | 'latest')[] };
  const getKeyByRequest: Store['getKeyByRequest'] = async (requestKey, mayLag) => {
    requests.reads.push(mayLag === true ? 'lagging' : 'latest');
    return mayLag === true && requests.areHidden ? null : plain.getKeyByRequest(requestKey);
  };
  const service = await createTestService({ store: { ...plain, getKey, getKeyByRequest } });
  onTestFinished(() => service.store.close());
  const { key } = await service.admin.createKey(root(service), { name: 'one' });
  const freeze = async () => void frozen.set(key.id, await plain.getKey(key.id));
  const hide = () => void frozen.set(key.id, null);
  const stored = () => plain.getKey(key.id as KeyId);
  reads.length = 0;
  return { ...service, service, id: key.id, reads, requests, freeze, hide, stored };
}

it('a key is read once for a change, by a read that may lag, and changed by its version', async () => {
  const { admin, service, id, reads, stored } = await setting();
  await admin.disableKey(root(service), id);
  expect(reads).toEqual(['lagging']);
  expect((await stored())?.disabledAt).not.toBe(null);
});

it('a change is made on top of what a lagging read did not know', async () => {
  const { admin, service, id, freeze, stored } = await setting();
  await freeze();
  await admin.updateKey(root(service), id, { permissions: ['read:things'] });
  await admin.updateKey(root(service), id, { name: 'two' });
  expect(await stored()).toMatchObject({ name: 'two', permissions: ['read:things'], version: 3 });
});

it('that there is nothing to change, no such key, or a refusal is said by the latest alone', async () => {
  const { admin, service, id, freeze, hide, stored } = await setting();
  hide();
  await admin.disableKey(root(service), id);
  await freeze();
  await admin.enableKey(root(service), id);
  // As it was then, it is disabled already.
  await admin.disableKey(root(service), id);
  expect((await stored())?.disabledAt).not.toBe(null);

  const { etag } = await admin.getKey(root(service), id).then(({ version }) => ({ etag: `"${version}"` }));
  expect(
    await refusal(admin.updateKey(root(service), id, { name: 'three', etag: `"9${etag.slice(1)}` })),
  ).toMatch(/^ABORTED/);
  await admin.revokeKey(root(service), id);
  expect(await refusal(admin.enableKey(root(service), id))).toMatch(/KEY_REVOKED/);
  expect(await refusal(admin.updateKey(root(service), id, { name: 'four' }))).not.toBe(null);
});

it('an earlier request is looked for once, by a read that may lag, unless something is in the way of another', async () => {
  const { admin, service, requests } = await setting();
  const asked = { name: 'two', owner: 'late', request_id: 'r', external_id: 'x' };
  const made = await admin.createKey(root(service), asked);
  expect(requests.reads).toEqual(['lagging']);
  const again = async () => {
    requests.reads.length = 0;
    return admin.createKey(root(service), asked);
  };
  expect(await again()).toMatchObject({ key: { id: made.key.id }, secret: null });
  expect(requests.reads).toEqual(['lagging']);

  requests.areHidden = true;
  expect(await again()).toMatchObject({ key: { id: made.key.id }, secret: null });
  await admin.putOwner(root(service), 'late', { suspended: true });
  expect(await again()).toMatchObject({ key: { id: made.key.id }, secret: null });
  expect(requests.reads).toEqual(['lagging', 'latest']);
  expect(await refusal(admin.createKey(root(service), { ...asked, request_id: 'other' }))).toMatch(
    'OWNER_INACTIVE',
  );
});

it('a rotation is made on top of what a lagging read did not know, and by one request once', async () => {
  const { admin, service, id, reads, requests, freeze } = await setting();
  await freeze();
  await admin.updateKey(root(service), id, { permissions: ['read:things'] });
  requests.areHidden = true;
  reads.length = 0;
  const rotated = await admin.rotateKey(root(service), id, { request_id: 'r' });
  expect(reads).toEqual(['lagging', 'latest']);
  expect(rotated.key).toMatchObject({ permissions: ['read:things'], rotatedFrom: id });
  expect(await admin.rotateKey(root(service), id, { request_id: 'r' })).toMatchObject({
    key: { id: rotated.key.id },
    secret: null,
  });
  await freeze();
  expect(await refusal(admin.rotateKey(root(service), id, {}))).toMatch('KEY_ROTATED');
});
