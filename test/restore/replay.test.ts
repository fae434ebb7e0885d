import { expect, it, onTestFinished } from 'vitest';
import { createRegistry, type KeyOf } from '../../src/changes/registry.ts';
import { auditJson, type Origin } from '../../src/journal/journal.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createDigester } from '../../src/keys/secret.ts';
import { readPresets } from '../../src/presets/read.ts';
import { createChangesSinceBackup } from '../../src/restore/changes-since-backup.ts';
import { replay } from '../../src/restore/replay.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { keyRecord, newOwner, ownerRecord } from '../records.ts';
import { dayMs, nextId, retentionMs, testNow } from '../store-contract/setting.ts';

const fivePerMinute = limitsOfShort({ limit: 5, windowMs: 60_000 });

const origin: Origin = { actor: 'a', action: 'X', address: null, requestId: null };
const day = testNow + dayMs;
const [scheme] = readPresets().values();

async function openStore(keys: readonly KeyRecord[]) {
  const store = createSqliteStore({ path: ':memory:', now: () => testNow });
  onTestFinished(() => store.close());
  await store.open();
  for (const key of keys) await store.insertKey(key, retentionMs);
  if (scheme === undefined) throw new Error('there are no presets');
  const registry = createRegistry(
    { store, digester: createDigester([]), policy: () => ({ keySchemes: [scheme] }), now: () => testNow },
    { retentionMs },
  );
  return { store, registry };
}

type Side = Awaited<ReturnType<typeof openStore>>;

function of(key: KeyRecord, action = 'UpdateKey'): KeyOf {
  return { id: key.id, visible: () => true, origin: { ...origin, action } };
}

/** One store that is lost after the changes, and one that was restored from before them. */
async function lose(keys: readonly KeyRecord[], changes: (lost: Side) => Promise<unknown>) {
  const [lost, restored] = [await openStore(keys), await openStore(keys)];
  await changes(lost);
  const entries = await lost.store.listJournal({}, { order: 'oldest', after: null, size: 100 });
  const gathered = createChangesSinceBackup();
  // As an export has them.
  for (const entry of entries) gathered.add(JSON.parse(JSON.stringify(auditJson(entry))));
  const run = (isDryRun = false) => replay(restored, gathered.end(), { isDryRun });
  const key = async ({ id }: KeyRecord) => restored.store.getKey(id);
  return { ...restored, run, key, lost: gathered.end() };
}

const one = () => keyRecord({ id: nextId(), permissions: ['read', 'write'], expiresAt: day + 500 });

it('takes each term of a key that was made narrower, and no other', async () => {
  const all = [one(), one(), one(), one(), one(), one()] as const;
  const [permissions, address, expiry, limit, plan, caller] = all;
  const { run, key } = await lose(all, async ({ registry }) => {
    await registry.update(of(permissions), () => ({ permissions: ['read'], name: 'another' }), null);
    await registry.update(of(address), () => ({ ipAllowlist: ['192.0.2.0/24'] }), null);
    await registry.update(of(expiry), () => ({ expiresAt: testNow + 60_000 }), null);
    await registry.update(of(limit), () => ({ rateLimits: fivePerMinute }), null);
    await registry.update(of(plan), () => ({ plan: 'free' }), null);
    await registry.update(of(caller), () => ({ principals: ['a.example'] }), null);
  });
  const { retaken, failed } = await run();
  expect(retaken.map(({ what }) => what)).toEqual(Array(6).fill('narrowed'));
  expect(failed).toEqual([]);
  expect(await key(permissions)).toMatchObject({
    permissions: ['read'],
    name: 'A key',
    expiresAt: day + 500,
  });
  expect(await key(address)).toMatchObject({ ipAllowlist: ['192.0.2.0/24'] });
  expect(await key(expiry)).toMatchObject({ expiresAt: testNow + 60_000 });
  expect(await key(limit)).toMatchObject({ rateLimits: fivePerMinute });
  expect(await key(plan)).toMatchObject({ plan: 'free' });
  expect(await key(caller)).toMatchObject({ principals: ['a.example'] });
});

it('gives nothing: neither time, nor permissions, nor a key that was enabled', async () => {
  const all = [one(), one(), { ...one(), disabledAt: testNow }] as const;
  const [later, wider, enabled] = all;
  const { run, key } = await lose(all, async ({ registry }) => {
    await registry.update(of(later), () => ({ expiresAt: null }), null);
    await registry.update(of(wider), () => ({ permissions: ['read', 'write', 'admin'] }), null);
    await registry.enable(of(enabled, 'EnableKey'));
  });
  expect(await run()).toEqual({ retaken: [], missing: [], unreadable: [], failed: [] });
  for (const before of all) expect(await key(before)).toEqual(before);
});

it('leaves a key as it is that was disabled, and enabled again after that', async () => {
  const [again, still] = [one(), one()];
  const { run, key } = await lose([again, still], async ({ registry }) => {
    for (const each of [again, still]) await registry.disable(of(each, 'DisableKey'));
    await registry.enable(of(again, 'EnableKey'));
  });
  await run();
  expect(await key(again)).toEqual(again);
  expect(await key(still)).toMatchObject({ disabledAt: testNow });
});

it('is the same when it is repeated, and a dry run changes nothing', async () => {
  const [revoked, disabled] = [one(), one()];
  const { run, key, store } = await lose([revoked, disabled], async ({ registry }) => {
    await registry.revoke(of(revoked, 'RevokeKey'));
    await registry.disable(of(disabled, 'DisableKey'));
    const put = { ...origin, action: 'PutOwner' };
    await registry.putOwner(newOwner({ id: 'acme', plan: null, activeUntil: day, suspended: false }), put);
  });
  const dry = await run(true);
  expect(await key(revoked)).toEqual(revoked);
  expect(await store.getOwner('acme')).toBeNull();
  const first = await run();
  expect(first).toEqual(dry);
  expect(first.retaken.map(({ what }) => what)).toEqual(['revoked', 'disabled', 'owner']);
  expect(await run()).toMatchObject({ retaken: [], failed: [] });
  expect(await store.listJournal({}, { order: 'oldest', after: null, size: 100 })).toHaveLength(3);
});

it('takes an owner back to the narrowest of both, one that nobody had put too', async () => {
  const known = ownerRecord({ id: 'known', activeUntil: day });
  const put = async ({ registry }: Side) => {
    const action = { ...origin, action: 'PutOwner' };
    await registry.putOwner(
      newOwner({ id: 'known', plan: 'free', activeUntil: null, suspended: true }),
      action,
    );
    await registry.putOwner(
      newOwner({ id: 'new', plan: null, activeUntil: testNow, suspended: false }),
      action,
    );
    await registry.putOwner(
      newOwner({ id: 'good', plan: null, activeUntil: null, suspended: false }),
      action,
    );
  };
  const { run, store } = await lose([], put);
  await store.putOwner(known, 0);
  const { retaken } = await run();
  expect(retaken.map(({ target }) => target)).toEqual(['known', 'new']);
  expect(await store.getOwner('known')).toMatchObject({ plan: 'free', activeUntil: day, suspended: true });
  expect(await store.getOwner('new')).toMatchObject({ activeUntil: testNow });
  expect(await store.getOwner('good')).toBeNull();
});

it('takes an owner back to what an update made of it', async () => {
  const put = async ({ registry }: Side) => {
    const known = newOwner({ id: 'known' });
    await registry.putOwner(known, { ...origin, action: 'PutOwner' });
    const of = { id: 'known', origin: { ...origin, action: 'UpdateOwner' } };
    await registry.updateOwner(of, { suspended: true }, null);
  };
  const { run, store } = await lose([], put);
  const { retaken } = await run();
  expect(retaken.map(({ target }) => target)).toEqual(['known']);
  expect(await store.getOwner('known')).toMatchObject({ suspended: true });
});

it('takes from roles what they lost, deletes those that were deleted, and gives back none', async () => {
  const roleOrigin = (action: string): Origin => ({ ...origin, action });
  const put = ({ registry }: Side, id: string, ...permissions: string[]) =>
    registry.putRole({ id, description: null, permissions }, null, roleOrigin('PutRole'));
  const before = async (side: Side) => {
    for (const id of ['narrowed', 'widened', 'deleted', 'again']) await put(side, id, 'read', 'write');
  };
  const key = one();
  const { run, store, registry } = await lose([key], async (side) => {
    await before(side);
    await put(side, 'narrowed', 'read');
    await put(side, 'widened', 'read', 'write', 'more');
    await side.registry.deleteRole('deleted', null, roleOrigin('DeleteRole'));
    await side.registry.deleteRole('again', null, roleOrigin('DeleteRole'));
    await put(side, 'again', 'write');
    await put(side, 'made', 'read');
  });
  await before({ store, registry });
  expect((await run(true)).retaken).toHaveLength(3);
  const held = async (id: string) => (await store.getRole(id))?.permissions ?? null;
  expect(await held('narrowed')).toEqual(['read', 'write']);
  const { retaken } = await run();
  expect(retaken.map(({ what, target }) => [what, target])).toEqual([
    ['role', 'narrowed'],
    ['role', 'deleted'],
    ['role', 'again'],
  ]);
  expect(await Promise.all(['narrowed', 'widened', 'deleted', 'again', 'made'].map(held))).toEqual([
    ['read'],
    ['read', 'write'],
    null,
    ['write'],
    null,
  ]);
  expect((await run()).retaken).toEqual([]);
});

it('names keys that were made since, but for those that were revoked by then, and counts imports', async () => {
  const [made, ended] = [one(), one()];
  const { run, lost } = await lose([], async ({ store, registry }) => {
    const draft = (key: KeyRecord) => ({
      ...{
        ...origin,
        action: 'CreateKey',
        kind: 'call',
        target: key.id,
        owner: null,
        outcome: 'ok' as const,
      },
      ...{ kind: 'call' as const, error: null, before: null, once: null, after: { ...key, state: 'active' } },
    });
    for (const key of [made, ended]) await store.insertKey(key, retentionMs, draft(key));
    await registry.revoke(of(ended, 'RevokeKey'));
    await store.appendJournal([
      { ...draft(made), action: 'ImportKeys', target: null, after: { imported: 7 } },
    ]);
    await store.appendJournal([{ ...draft(made), outcome: 'refused', error: 'NOT_FOUND' }]);
  });
  expect(await run()).toMatchObject({ retaken: [], missing: [{ id: made.id, name: 'A key' }] });
  expect(lost).toMatchObject({ imported: 7, changes: 4 });
});
