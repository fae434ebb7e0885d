import { expect, it } from 'vitest';
import type { RoleRecord } from '../../src/keys/role.ts';
import type { CreateStore } from '../store-contract.ts';
import { insertAll, journalDraft, listActions, listIds, opened, strangeTexts, testNow } from './setting.ts';

/** Permissions under one name, and which keys name them. */
export function roleContract(createStore: CreateStore): void {
  it('keeps a role as it was put, whatever its texts', async () => {
    const { store, reopen } = await opened(createStore);
    expect(await store.getRole('reader')).toBeNull();
    const roles = strangeTexts
      .filter((id) => id !== '')
      .map((id) => roleRecord({ id, description: id, permissions: [id, 'read:*'] }));
    for (const role of roles) expect(await store.putRole(role, 0)).not.toBeNull();
    const again = await reopen();
    for (const role of roles) expect(await again.getRole(role.id)).toEqual(role);
  });

  it('puts and deletes a role only where it is of the version that is meant, with its entry in the journal', async () => {
    const { store } = await opened(createStore);
    const first = roleRecord();
    const draft = (action: string) => journalDraft({ action });
    expect(await store.putRole(first, 1, draft('Wrong'))).toBeNull();
    expect(await store.putRole(first, 0, draft('PutRole'))).not.toBeNull();
    expect(await store.putRole(first, 0, draft('Wrong'))).toBeNull();
    const second = roleRecord({ permissions: [], description: null, version: 2 });
    expect(await store.putRole(second, 2, draft('Wrong'))).toBeNull();
    expect(await store.putRole(second, 1, draft('PutRole'))).not.toBeNull();
    expect(await store.getRole('reader')).toEqual(second);
    expect(await store.deleteRole('reader', 1, draft('Wrong'))).toBeNull();
    expect(await store.deleteRole('reader', 2, draft('DeleteRole'))).not.toBeNull();
    expect(await store.deleteRole('reader', 2, draft('Wrong'))).toBeNull();
    expect(await store.getRole('reader')).toBeNull();
    expect(await listActions(store)).toEqual(['PutRole', 'PutRole', 'DeleteRole']);
  });

  it('lists roles by id, page by page', async () => {
    const { store } = await opened(createStore);
    for (const id of ['b', 'a', 'c']) await store.putRole(roleRecord({ id }), 0);
    const page = async (after: string | null) =>
      (await store.listRoles({ after, size: 2 })).map(({ id }) => id);
    expect(await page(null)).toEqual(['a', 'b']);
    expect(await page('b')).toEqual(['c']);
    expect(await page('c')).toEqual([]);
  });

  it('tells the subscriber of each role that was put or deleted, before the change resolves', async () => {
    const { store } = await createStore({ now: () => testNow });
    const told: string[] = [];
    store.feed.subscribe({
      onChange() {},
      onOwnerChange() {},
      onRoleChange: (id) => told.push(id),
      onGap() {},
    });
    await store.open();
    await store.putRole(roleRecord({ id: 'one' }), 0);
    expect(told).toContain('one');
    await store.putRole(roleRecord({ id: 'two' }), 0);
    told.length = 0;
    await store.deleteRole('two', 1);
    expect(told).toContain('two');
  });

  it('finds the keys that name a role, and no others once they name it no more', async () => {
    const { store } = await opened(createStore);
    const [one, two] = await insertAll(store, [
      { roles: ['a', 'b'] },
      { roles: ['b'] },
      { permissions: ['a'] },
    ]);
    expect(await listIds(store, { role: 'a' })).toEqual([one?.id]);
    expect(await listIds(store, { role: 'b' })).toEqual([two?.id, one?.id]);
    expect(await listIds(store, { role: 'b', owner: 'acme' })).toEqual([]);
    if (one === undefined) return;
    await store.replaceKey({ ...one, roles: ['c', 'b'], version: 2 }, 1, 0);
    expect(await listIds(store, { role: 'a' })).toEqual([]);
    expect(await listIds(store, { role: 'c' })).toEqual([one.id]);
    expect(await listIds(store, { role: 'b' })).toEqual([two?.id, one.id]);
    await store.replaceKey({ ...one, roles: [], version: 3 }, 2, 0);
    expect(await listIds(store, { role: 'b' })).toEqual([two?.id]);
  });
}

export function roleRecord(given: Partial<RoleRecord> = {}): RoleRecord {
  return {
    id: 'reader',
    description: 'Reads',
    permissions: ['read:*'],
    createdAt: testNow,
    updatedAt: testNow,
    version: 1,
    ...given,
  };
}
