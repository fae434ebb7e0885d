import { expect, it } from 'vitest';
import { ExternalIdTaken } from '../../src/store/records/external-id.ts';
import { keyRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import {
  insertAll,
  journalDraft,
  listActions,
  listIds,
  nextId,
  opened,
  retentionMs,
  testNow,
} from './setting.ts';

/** What those who make a key call it. */
export function externalIdContract(createStore: CreateStore): void {
  const named = (given: object = {}) => keyRecord({ id: nextId(), externalId: 'a', ...given });

  it('takes an external id once among the keys of an owner, and once among those of nobody', async () => {
    const { store } = await opened(createStore);
    await store.insertKey(named({ owner: 'acme' }), retentionMs);
    await store.insertKey(named({ owner: 'other' }), retentionMs);
    await store.insertKey(named(), retentionMs);
    for (const owner of ['acme', 'other', null]) {
      const draft = journalDraft({ action: 'CreateKey' });
      await expect(store.insertKey(named({ owner }), retentionMs, draft)).rejects.toThrow(ExternalIdTaken);
    }
    expect(await listIds(store)).toHaveLength(3);
    expect(await listActions(store)).toEqual([]);
    await insertAll(store, [{ externalId: null }, { externalId: null }]);
  });

  it('gives an external id free with the revocation of its key, and not before', async () => {
    const { store } = await opened(createStore);
    const first = named({ owner: 'acme', disabledAt: testNow, expiresAt: testNow - 1 });
    await store.insertKey(first, retentionMs);
    await expect(store.insertKey(named({ owner: 'acme' }), retentionMs)).rejects.toThrow(ExternalIdTaken);
    await store.replaceKey({ ...first, revokedAt: testNow, version: 2 }, 1, retentionMs);
    const second = named({ owner: 'acme' });
    await store.insertKey(second, retentionMs);
    expect(await listIds(store, { externalId: 'a' })).toEqual([second.id, first.id]);
    expect(await listIds(store, { externalId: 'A' })).toEqual([]);
  });

  it('changes one, but not to that of another key', async () => {
    const { store } = await opened(createStore);
    const [one, two] = await insertAll(store, [{ externalId: 'one' }, { externalId: 'two' }]);
    if (one === undefined || two === undefined) return;
    const draft = journalDraft({ action: 'UpdateKey' });
    const taken = store.replaceKey({ ...two, externalId: 'one', version: 2 }, 1, retentionMs, draft);
    await expect(taken).rejects.toThrow(ExternalIdTaken);
    await store.replaceKey({ ...one, externalId: null, version: 2 }, 1, retentionMs);
    await store.replaceKey({ ...two, externalId: 'one', version: 2 }, 1, retentionMs, draft);
    expect(await listIds(store, { externalId: 'one' })).toEqual([two.id]);
    expect(await listActions(store)).toEqual(['UpdateKey']);
  });

  it('hands one over to the key that replaces another', async () => {
    const { store } = await opened(createStore);
    const [old] = await insertAll(store, [{ externalId: 'a' }]);
    if (old === undefined) return;
    const made = named({ rotatedFrom: old.id });
    const rotation = { old: { ...old, externalId: null, version: 2 }, ifVersion: 1, made };
    expect(await store.rotateKey(rotation, retentionMs, journalDraft())).not.toBeNull();
    expect(await listIds(store, { externalId: 'a' })).toEqual([made.id]);
    expect(await store.getKey(old.id)).toMatchObject({ externalId: null });
  });

  it('says which are taken, and inserts none of those among many', async () => {
    const { store } = await opened(createStore);
    await insertAll(store, [
      { externalId: 'a', owner: 'acme' },
      { externalId: 'b', revokedAt: testNow },
    ]);
    const asked = [
      { owner: 'acme', externalId: 'a' },
      { owner: null, externalId: 'a' },
      { owner: null, externalId: 'b' },
    ];
    expect(await store.findExternalIds(asked)).toEqual(new Set([0]));
    expect(await store.findExternalIds([])).toEqual(new Set());
    const records = [named({ owner: 'acme' }), named({ owner: 'other' }), named({ externalId: 'c' })];
    const draft = () => journalDraft({ action: 'ImportKeys' });
    expect(await store.insertKeys(records, retentionMs, draft)).toEqual([0]);
  });
}
