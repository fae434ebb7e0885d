import { describe, expect, it, vi } from 'vitest';
import type { KeyRule } from '../../src/keys/key-rules.ts';
import type { OwnerRecord } from '../../src/keys/owner.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { refusal, root, start, violations } from '../admin-calls.ts';
import { ownerRecord } from '../records.ts';

const dayMs = 86_400_000;

function rule(given: Partial<KeyRule> = {}): KeyRule {
  const none = { lifetimeMaxMs: null, lifetimeDefaultMs: null, keysPerOwnerMax: null };
  return { match: {}, allowlistRequired: false, ...none, ...given };
}

async function startWith(...keyRules: KeyRule[]) {
  const service = await start({ keyRules });
  const { admin } = service;
  const caller = root(service);
  const create = (input: object) => admin.createKey(caller, { name: 'a', ...input });
  const fieldsOf = async (call: Promise<unknown>) => {
    const found = await violations(call);
    return Array.isArray(found) ? found.map(({ field }) => field) : found;
  };
  return { ...service, admin, caller, create, fieldsOf };
}

describe('the longest life of a key', () => {
  it('counts from when it was made, whoever sets its end, and no end is longer', async () => {
    const { admin, caller, create, fieldsOf, clock } = await startWith(rule({ lifetimeMaxMs: 30 * dayMs }));
    for (const asked of [{}, { expires_in: 'never' }, { expires_in: '31d' }, { expires_at: null }])
      expect([asked, await fieldsOf(create(asked))]).toEqual([asked, ['expires_at']]);
    const { key } = await create({ expires_in: '30d' });
    clock.now += 10 * dayMs;
    const end = (days: number) => new Date(key.createdAt + days * dayMs).toISOString();
    expect(await fieldsOf(admin.updateKey(caller, key.id, { expires_at: end(31) }))).toEqual(['expires_at']);
    expect(await fieldsOf(admin.updateKey(caller, key.id, { expires_at: null }))).toEqual(['expires_at']);
    await admin.updateKey(caller, key.id, { expires_at: end(29) });
    await admin.updateKey(caller, key.id, { name: 'b' });
    expect(await fieldsOf(admin.rotateKey(caller, key.id, { expires_in: '31d' }))).toEqual(['expires_at']);
    await admin.rotateKey(caller, key.id, { expires_in: '30d' });
  });

  it('is the narrowest of the rules that take the key, and its default is never longer', async () => {
    const { create, fieldsOf } = await startWith(
      rule({ lifetimeMaxMs: 90 * dayMs, lifetimeDefaultMs: 60 * dayMs }),
      rule({ match: { ownerBound: true }, lifetimeMaxMs: 30 * dayMs }),
      rule({ match: { scheme: 'mira' }, lifetimeMaxMs: dayMs }),
    );
    const lives = async (asked: object) => {
      const { key } = await create(asked);
      return Math.round(((key.expiresAt ?? 0) - key.createdAt) / dayMs);
    };
    expect(await lives({})).toBe(60);
    expect(await lives({ owner: 'acme' })).toBe(30);
    expect(await lives({ expires_in: '90d' })).toBe(90);
    expect(await fieldsOf(create({ owner: 'acme', expires_in: '60d' }))).toEqual(['expires_at']);
    expect(await lives({ scheme: 'mira' })).toBe(1);
  });

  it('holds for imports, each key by itself', async () => {
    const { admin, caller } = await startWith(rule({ lifetimeMaxMs: dayMs, allowlistRequired: true }));
    const sha256 = (at: number) => Buffer.from(String(at).padStart(32)).toString('hex');
    const far = new Date(Date.now() + 9 * dayMs).toISOString();
    const near = new Date(Date.now() + dayMs / 2).toISOString();
    const keys = [
      { sha256: sha256(1), name: 'a', expires_at: far, ip_allowlist: ['10.0.0.0/8'] },
      { sha256: sha256(2), name: 'b', expires_at: near, ip_allowlist: ['10.0.0.0/8'] },
      { sha256: sha256(3), name: 'c', expires_at: near },
    ];
    const { imported, failures } = await admin.importKeys(caller, { keys });
    expect(imported).toBe(1);
    expect(failures.map(({ index, field }) => [index, field])).toEqual([
      [0, 'expires_at'],
      [2, 'ip_allowlist'],
    ]);
  });
});

it('an allowlist that is required can be changed, and not emptied', async () => {
  const { admin, caller, create, fieldsOf } = await startWith(rule({ allowlistRequired: true }));
  expect(await fieldsOf(create({}))).toEqual(['ip_allowlist']);
  const { key } = await create({ ip_allowlist: ['10.0.0.0/8'] });
  expect(await fieldsOf(admin.updateKey(caller, key.id, { ip_allowlist: [] }))).toEqual(['ip_allowlist']);
  await admin.updateKey(caller, key.id, { ip_allowlist: ['192.0.2.1'] });
});

describe('the number of keys of an owner', () => {
  const full = 'RESOURCE_EXHAUSTED TOO_MANY_KEYS';

  it('counts disabled keys, and not those that are revoked, ended or replaced', async () => {
    const { admin, caller, create, clock } = await startWith(rule({ keysPerOwnerMax: 2 }));
    const [first, second] = [
      await create({ owner: 'acme' }),
      await create({ owner: 'acme', expires_in: '1d' }),
    ];
    await admin.disableKey(caller, first.key.id);
    expect(await refusal(create({ owner: 'acme' }))).toBe(full);
    await create({ owner: 'other' });
    await create({});
    await create({});
    await create({});
    await admin.revokeKey(caller, first.key.id);
    const third = await create({ owner: 'acme' });
    await admin.rotateKey(caller, third.key.id, { grace_period: '1d' });
    expect(await refusal(create({ owner: 'acme' }))).toBe(full);
    clock.now += 2 * dayMs;
    await create({ owner: 'acme' });
    const revive = { expires_at: new Date(clock.now + dayMs).toISOString() };
    expect(await refusal(admin.updateKey(caller, second.key.id, revive))).toBe(full);
  });

  it('is never passed by keys that are made at once, and answers a retry all the same', async () => {
    const { create } = await startWith(rule({ keysPerOwnerMax: 3 }));
    const made = await Promise.allSettled(
      Array.from({ length: 10 }, (_, at) => create({ owner: 'acme', request_id: String(at) })),
    );
    const fulfilled = made.flatMap(({ status }, at) => (status === 'fulfilled' ? [String(at)] : []));
    expect(fulfilled).toHaveLength(3);
    expect((await create({ owner: 'acme', request_id: fulfilled[0] })).secret).toBeNull();
  });

  it('is narrowed by what the owner itself may have, by imports too, where those that are there do not count', async () => {
    const { admin, caller, create } = await startWith(rule({ keysPerOwnerMax: 9 }));
    await admin.putOwner(caller, 'acme', { keys_max: 2 });
    await create({ owner: 'acme' });
    const sha256 = (at: number) => Buffer.from(String(at).padStart(32)).toString('hex');
    const keys = [1, 2, 3].map((at) => ({ sha256: sha256(at), name: `${at}`, owner: 'acme' }));
    const outcome = async () => {
      const { imported, duplicates, failures } = await admin.importKeys(caller, { keys });
      return { imported, duplicates, failures: failures.map(({ index, field }) => [index, field]) };
    };
    const tooMany = [
      [1, 'owner'],
      [2, 'owner'],
    ];
    expect(await outcome()).toEqual({ imported: 1, duplicates: [], failures: tooMany });
    expect(await outcome()).toEqual({ imported: 0, duplicates: [0], failures: tooMany });
    expect(await refusal(create({ owner: 'acme' }))).toBe(full);
  });
});

it('an owner that may have fewer keys is said from when on no replica makes more, and not one that may have more', async () => {
  const { admin, caller } = await startWith(rule({}));
  await admin.putOwner(caller, 'acme', {});
  const settles = async (keys_max: number | null) =>
    (await admin.updateOwner(caller, 'acme', { keys_max })).settlement !== null;
  expect([await settles(5), await settles(9), await settles(8), await settles(null)]).toEqual([
    ...[true, false],
    ...[true, false],
  ]);
});

it('keys that are against the rules today are counted for the doctor', async () => {
  const rules: KeyRule[] = [];
  const { admin, caller, create } = await startWith(...rules);
  await create({});
  const other = await start({ keyRules: [rule({ lifetimeMaxMs: dayMs, allowlistRequired: true })] });
  const codes = async (service: Pick<typeof other, 'admin'>, by: typeof caller) =>
    (await service.admin.getDiagnostics(by)).findings
      .map(({ code }) => code)
      .filter((code) => /^key_rules/.test(code));
  expect(await codes({ admin }, caller)).toEqual([]);
  await other.registry.create(
    {
      ...{
        name: 'old',
        scheme: other.schemes[0],
        environment: 'live',
        owner: null,
        permissions: [],
        roles: [],
      },
      ...{
        ipAllowlist: [],
        principals: [],
        plan: null,
        rateLimits: [],
        labels: {},
        externalId: null,
        expiresAt: null,
      },
      ...{ requestKey: null, createdBy: null },
    },
    { actor: null, action: 'CreateKey', address: null, requestId: null },
  );
  expect(await codes(other, root(other))).toEqual(['key_rules.expires_at', 'key_rules.ip_allowlist']);
});

it('an import asks for each of its owners once, and searches for no key twice where no number is bounded', async () => {
  const { admin, caller, store } = await startWith(rule({ lifetimeMaxMs: dayMs }));
  const asked = [vi.spyOn(store, 'getOwner'), vi.spyOn(store, 'countOwned')] as const;
  const expires_at = new Date(Date.now() + dayMs / 2).toISOString();
  const keys = Array.from({ length: 60 }, (_, at) => ({
    ...{ name: `k${at}`, owner: `owner-${at % 3}`, expires_at },
    sha256: Buffer.from(String(at).padStart(32)).toString('hex'),
  }));
  expect(await admin.importKeys(caller, { keys })).toMatchObject({ imported: 60, failures: [] });
  expect(asked.map(({ mock }) => mock.calls.length)).toEqual([3, 0]);
});

/** A service that notes each question about owners, and answers the first one as `first` says, where it does. */
async function startAsking(first: OwnerRecord | null = null) {
  const plain = createSqliteStore({ path: ':memory:', now: Date.now });
  const asked: string[] = [];
  const store: Store = {
    ...plain,
    getOwner: async (...given) => {
      asked.push('getOwner');
      return asked.length === 1 && first !== null ? first : plain.getOwner(...given);
    },
    getOwners: async (ids) => {
      asked.push('getOwners');
      return plain.getOwners(ids);
    },
  };
  const service = await start({ store, keyRules: [rule({ match: { scheme: 'mira' }, keysPerOwnerMax: 9 })] });
  const create = (wanted: object) => service.admin.createKey(root(service), wanted);
  return { asked, create, admin: service.admin, caller: root(service), plain };
}

it('a new key costs no question about an owner who is known, but where the owner may have so many keys', async () => {
  const { asked, create } = await startAsking();
  const { key } = await create({ name: 'a', owner: 'acme' });
  await create({ name: 'b', owner: 'acme' });
  expect([asked, key.blocked]).toEqual([['getOwner'], null]);
  await create({ name: 'c', owner: 'acme', scheme: 'mira' });
  expect(asked).toEqual(['getOwner', 'getOwner']);
});

it('a new key is refused for its owner by the latest alone, whatever was known', async () => {
  const { asked, create } = await startAsking(ownerRecord({ id: 'acme', suspended: true }));
  await create({ name: 'a', owner: 'acme' });
  expect(asked).toEqual(['getOwner', 'getOwner']);
});

it('a change asks once about the owner of its key, and says by that what blocks it', async () => {
  const { asked, create, admin, caller, plain } = await startAsking();
  const { id } = (await create({ name: 'a', owner: 'acme' })).key;
  await plain.putOwner(ownerRecord({ id: 'acme', suspended: true, version: 1 }), 0);
  asked.length = 0;
  const counted = async (change: Promise<unknown>) => [await change.then(), asked.splice(0).length];
  const blocked = { key: { blocked: 'owner_inactive' } };
  expect(await counted(admin.updateKey(caller, id, { name: 'b' }))).toMatchObject([blocked, 1]);
  expect(await counted(admin.disableKey(caller, id))).toMatchObject([{ key: { blocked: null } }, 1]);
  expect(await counted(admin.enableKey(caller, id))).toMatchObject([blocked.key, 1]);
  const rotated = counted(admin.rotateKey(caller, id, { grace_period: '1h' }));
  expect(await rotated).toMatchObject([{ ...blocked, rotatedKey: blocked.key }, 1]);
});
