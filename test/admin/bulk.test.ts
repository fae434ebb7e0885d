import { describe, expect, it } from 'vitest';
import { keyState } from '../../src/keys/key.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { audit, callerWith, refusal, root, start, violations } from '../admin-calls.ts';
import type { TestServiceOptions } from '../service.ts';

async function setUp(options: TestServiceOptions = {}) {
  const service = await start(options);
  const caller = root(service);
  const make = async (given: object = {}) =>
    (await service.admin.createKey(caller, { name: 'a', ...given })).key;
  const stateOf = async (id: string) => keyState(await service.admin.getKey(caller, id), service.clock.now);
  return { ...service, service, caller, make, stateOf };
}

describe('RevokeKeys and DisableKeys', () => {
  it('change what meets the filter, each with its entry, and answer once for all', async () => {
    const { admin, caller, make, stateOf, service } = await setUp();
    const keys = [];
    for (let at = 0; at < 120; at++) keys.push(await make({ owner: 'acme' }));
    const other = await make({ owner: 'other' });
    const [first] = keys;
    await admin.revokeKey(caller, first?.id ?? '');
    const dry = { filter: { owner: 'acme' }, dry_run: true };
    expect(await admin.revokeKeys(caller, dry)).toMatchObject({
      matched: 120,
      changed: 119,
      effectiveAt: null,
    });
    expect(await stateOf(keys[5]?.id ?? '')).toBe('active');
    const ended = await admin.revokeKeys(caller, { filter: { owner: 'acme' } });
    expect(ended).toMatchObject({ matched: 120, changed: 119, unconfirmedReplicas: [] });
    expect(ended.effectiveAt).toBe(service.clock.now);
    for (const { id } of keys) expect(await stateOf(id)).toBe('revoked');
    expect(await stateOf(other.id)).toBe('active');
    const entries = await audit(service, { action: 'RevokeKeys' });
    expect(entries.map(({ target }) => target).toSorted()).toEqual(
      keys
        .slice(1)
        .map(({ id }) => id)
        .toSorted(),
    );
    expect(await admin.revokeKeys(caller, { filter: { owner: 'acme' } })).toMatchObject({ changed: 0 });
  });

  it('change the keys of these ids, and with a filter those alone that meet both', async () => {
    const { admin, caller, make, stateOf } = await setUp();
    const [one, two, three] = [await make({ owner: 'acme' }), await make(), await make({ owner: 'acme' })];
    const ids = [one.id, two.id, 'key_00000000000000000000000000', 'none', one.id];
    expect(await admin.disableKeys(caller, { ids, filter: { owner: 'acme' } })).toMatchObject({
      matched: 1,
      changed: 1,
    });
    expect(await admin.disableKeys(caller, { ids, filter: {} })).toMatchObject({ matched: 2, changed: 1 });
    expect([await stateOf(one.id), await stateOf(two.id), await stateOf(three.id)]).toEqual([
      'disabled',
      'disabled',
      'active',
    ]);
    await admin.revokeKeys(caller, { ids: [two.id] });
    expect(await admin.disableKeys(caller, { ids: [two.id] })).toMatchObject({ matched: 1, changed: 0 });
  });

  it('name a key by a filter or an id', async () => {
    const { admin, caller } = await setUp();
    for (const input of [
      {},
      { filter: {} },
      { ids: [] },
      { filter: {}, ids: [] },
      { filter: { owner: null }, ids: null },
    ])
      expect(await violations(admin.revokeKeys(caller, input))).toMatchObject([{ field: 'filter' }]);
    expect(await violations(admin.revokeKeys(caller, { filter: { page_size: 1 } }))).toMatchObject([
      { field: 'filter.page_size' },
    ]);
  });

  it('reach the keys of an admin key’s own owner alone', async () => {
    const { admin, make, stateOf, service } = await setUp();
    const bound = await callerWith(service, ['admin:write'], 'acme');
    const [own, other] = [await make({ owner: 'acme' }), await make({ owner: 'other' })];
    expect(await admin.disableKeys(bound, { ids: [own.id, other.id] })).toMatchObject({
      matched: 1,
      changed: 1,
    });
    expect(await refusal(admin.disableKeys(bound, { filter: { owner: 'other' } }))).toBe(
      'PERMISSION_DENIED OWNER_MISMATCH',
    );
    // Its own is among them.
    expect(await admin.disableKeys(bound, { filter: { state: 'active' } })).toMatchObject({ matched: 1 });
    expect(await stateOf(other.id)).toBe('active');
  });

  it('leave one who may change everything', async () => {
    const { admin, make, stateOf, service } = await setUp({ hasOtherWriter: false });
    const writer = await callerWith(service, ['admin:write']);
    const second = await callerWith(service, ['admin:write']);
    const plain = await make();
    const all = { filter: { scheme: 'postern' } };
    expect(await refusal(admin.revokeKeys(writer, all))).toBe('FAILED_PRECONDITION LAST_ADMIN_KEY');
    expect(await stateOf(plain.id)).toBe('active');
    expect(await admin.revokeKeys(writer, { ids: [second.key.id, plain.id] })).toMatchObject({ changed: 2 });
  });

  it('say what was done when the store goes away in the middle', async () => {
    const plain = createSqliteStore({ path: ':memory:', now: Date.now });
    let left = 1;
    const store = {
      ...plain,
      replaceKeys: async (...given: Parameters<typeof plain.replaceKeys>) => {
        if (left-- === 0) throw new StoreUnavailable('gone');
        return plain.replaceKeys(...given);
      },
    };
    const { admin, caller, make } = await setUp({ store });
    for (let at = 0; at < 120; at++) await make({ owner: 'acme' });
    const failed = await admin.revokeKeys(caller, { filter: { owner: 'acme' } }).catch((error) => error);
    expect([failed.code, failed.reason]).toEqual(['UNAVAILABLE', 'INTERRUPTED']);
    expect(failed.message).toContain('50 of 120 keys');
    left = 99;
    expect(await admin.revokeKeys(caller, { filter: { owner: 'acme' } })).toMatchObject({
      matched: 120,
      changed: 70,
    });
  });
});
