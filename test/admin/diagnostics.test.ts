import { describe, expect, it } from 'vitest';
import { findAccessTrouble } from '../../src/admin/diagnostics/admin-access.ts';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { type Store, StoreUnavailable } from '../../src/store/store.ts';
import { keyRecord } from '../records.ts';
import { createTestService } from '../service.ts';

const now = 1_900_000_000_000;
const dayMs = 86_400_000;
const writer = (id: string, more: Partial<KeyRecord> = {}) =>
  keyRecord({ id: id as KeyId, scheme: 'postern', permissions: ['admin:write'], owner: null, ...more });

describe('who may change everything', () => {
  const found = async (keys: readonly KeyRecord[], ways = {}) => {
    const none = { fixedKey: false, client: false, oidc: false, asksForCertificates: false };
    const waysIn = { adminScheme: 'postern', ...none, ...ways };
    const findings = await findAccessTrouble({ listKeys: async () => [...keys] }, waysIn, now);
    return findings.map(({ level, code }) => `${level} ${code}`);
  };
  const bound = writer('c', { expiresAt: now + 60 * dayMs, principals: ['ops.example.com'] });
  const ending = (id: string, days: number) => writer(id, { expiresAt: now + days * dayMs });

  it.each([
    ['nobody', [], {}, ['error admin.no_writer']],
    ['those alone who have ended', [ending('a', -1)], {}, ['error admin.no_writer']],
    ['those alone who have an owner', [writer('a', { owner: 'acme' })], {}, ['error admin.no_writer']],
    ['one alone', [ending('a', 60)], {}, ['info admin.last_writer']],
    ['one alone who ends soon', [ending('a', 13)], {}, ['warning admin.last_writer']],
    ['one alone who does not end', [writer('a')], {}, ['info admin.last_writer', 'info admin.no_expiry']],
    ['two', [ending('a', 60), ending('b', 13)], {}, []],
    ['one alone whose principals nobody can show', [bound], {}, ['error admin.no_writer']],
    ['one beside such a one', [ending('a', 60), bound], {}, ['info admin.last_writer']],
    ['two, where certificates are asked for', [ending('a', 60), bound], { asksForCertificates: true }, []],
    ['the settings', [], { fixedKey: true }, ['info admin.fixed_key']],
    ['a certificate', [], { client: true }, []],
    ['an OpenID provider alone', [], { oidc: true }, ['info admin.oidc_alone']],
    [
      'an OpenID provider beside one',
      [writer('a', { expiresAt: null })],
      { oidc: true },
      ['info admin.no_expiry'],
    ],
  ] as const)('may be %s', async (_, keys, ways, finds) => {
    expect(await found(keys, ways)).toEqual(finds);
  });
});

describe('diagnostics, while the store is away,', () => {
  const away = () => Promise.reject(new StoreUnavailable('away'));
  const asked = async (broken: Partial<Store>) => {
    const store = { ...createSqliteStore({ path: ':memory:', now: Date.now }), ...broken };
    const { admin, adminAuthorization } = await createTestService({ store });
    const { peppers, findings } = await admin.getDiagnostics({
      authorization: [adminAuthorization],
      address: '',
    });
    return { peppers, findings: findings.map(({ level, code }) => `${level} ${code}`) };
  };

  it('say so, and what can be said nevertheless', async () => {
    expect(await asked({ diagnose: away, countDigests: away, listKeys: away })).toEqual({
      peppers: [],
      findings: ['error store.unreachable'],
    });
  });

  it('have no number of keys, and know this replica alone', async () => {
    const store = {
      ...createSqliteStore({ path: ':memory:', now: Date.now }),
      countDigests: away,
      countKeys: away,
    };
    const { admin, adminAuthorization } = await createTestService({ store });
    const told = await admin.getDiagnostics({ authorization: [adminAuthorization], address: '' });
    expect(told).toMatchObject({
      storeReachable: false,
      keys: null,
      replicas: [{ id: 'test-replica', lagMs: 0 }],
    });
  });

  it('leave it to the store where that says what is wrong', async () => {
    const diagnose = async () => [
      { level: 'error', code: 'store.no_majority_write', where: null, what: 'a', cure: 'b' } as const,
    ];
    expect(await asked({ diagnose, countDigests: away, listKeys: away })).toMatchObject({
      findings: ['error store.no_majority_write'],
    });
  });

  it('throw what is broken', async () => {
    const broken = () => Promise.reject(new TypeError('a'));
    await expect(asked({ diagnose: broken })).rejects.toThrow(TypeError);
  });
});
