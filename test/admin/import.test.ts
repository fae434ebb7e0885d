import { randomBytes } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Caller } from '../../src/admin/identity.ts';
import type { Failure } from '../../src/failure.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { createDigester, type Pepper } from '../../src/keys/secret.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { createTestService, type TestService } from '../service.ts';

const sha256 = (secret: string) => createDigester([]).sign(secret);
const pepper = (id: string): Pepper => ({ id, key: randomBytes(32) });

async function start(given: Parameters<typeof createTestService>[0] = {}) {
  const service = await createTestService(given);
  onTestFinished(() => service.store.close());
  const importKeys = (keys: readonly unknown[], more = {}, caller = adminOf(service)) =>
    service.admin.importKeys(caller, { keys, ...more });
  return { ...service, importKeys };
}

function adminOf({ adminAuthorization }: TestService): Caller {
  return { authorization: [adminAuthorization], address: '192.0.2.1', requestId: 'a call' };
}

function secretOf(schemes: readonly Scheme[], scheme = 'postern', environment = 'live'): string {
  const named = schemes.find(({ name }) => name === scheme);
  const minted = named === undefined ? null : mintSecret(named, environment);
  if (minted === null) throw new Error('no such scheme');
  return minted.secret.reveal();
}

async function verify({ admin, ...service }: TestService, key: string, more = {}) {
  return admin.verifyKey(adminOf({ admin, ...service }), { key, ...more });
}

describe('an import', () => {
  it('takes in secrets, which are allowed at once with all that was said of them', async () => {
    const service = await start();
    const { importKeys, schemes, store } = service;
    const secret = secretOf(schemes, 'powerverse', 'test');
    const terms = {
      ...{ name: 'From elsewhere', scheme: 'powerverse', owner: 'acme', permissions: ['a', 'b', 'a'] },
      ...{ ip_allowlist: ['10.0.0.0/8'], expires_at: '2099-01-01T00:00:00Z', plan: 'pro' },
      ...{ rate_limit: { limit: 5, window: '60s' }, labels: { team: 'grid' } },
    };
    expect(await importKeys([{ secret, ...terms }])).toEqual({ imported: 1, duplicates: [], failures: [] });
    const [key] = await store.listKeys({ now: 0 }, { before: null, size: 10 });
    expect(key).toMatchObject({
      ...{ name: 'From elsewhere', scheme: 'powerverse', environment: 'test', owner: 'acme' },
      ...{ permissions: ['a', 'b'], ipAllowlist: ['10.0.0.0/8'], plan: 'pro' },
      ...{ rateLimits: limitsOfShort({ limit: 5, windowMs: 60_000 }), labels: { team: 'grid' } },
      ...{ prefix: secret.slice(0, 12), last4: secret.slice(-4), digest: sha256(secret), version: 1 },
      ...{ expiresAt: Date.UTC(2099, 0, 1), spender: key?.id, disabledAt: null, lastUsedAt: null },
    });
    const asked = { environment: 'test', address: '10.1.1.1', permissions: ['b'] };
    expect(await verify(service, secret, asked)).toMatchObject({ allowed: true, keyId: key?.id });
  });

  it('takes SHA-256 digests as hexadecimal, base64 and base64url, with or without padding', async () => {
    const service = await start();
    const secrets = Array.from({ length: 6 }, () => secretOf(service.schemes));
    const forms = ['hex', 'base64', 'base64url'] as const;
    const keys = secrets.map((secret, place) => {
      const text = Buffer.from(sha256(secret), 'base64url').toString(forms[place % 3]);
      const sent = place === 0 ? text.toUpperCase() : place < 3 ? text : text.replace(/=$/, '');
      return { sha256: sent, name: 'a digest' };
    });
    expect(await service.importKeys(keys)).toEqual({ imported: 6, duplicates: [], failures: [] });
    for (const secret of secrets) expect(await verify(service, secret)).toMatchObject({ allowed: true });
  });

  it('shows of a digest the beginning and the end that were given, else how keys of its scheme begin', async () => {
    const { importKeys, store } = await start();
    const digest = () => sha256(randomBytes(8).toString('hex'));
    await importKeys([
      { sha256: digest(), name: 'both', scheme: 'converra', prefix: 'sk_test_ab', last4: 'wxyz' },
      { sha256: digest(), name: 'none', scheme: 'converra' },
      { sha256: digest(), name: 'test', scheme: 'converra', environment: 'test' },
    ]);
    const keys = await store.listKeys({ now: 0 }, { before: null, size: 10 });
    // Converra's keys may have 16 characters, of which five are shown.
    expect(keys.map(({ name, prefix, last4, environment }) => [name, prefix, last4, environment])).toEqual([
      ['test', 'sk_test_', '', 'test'],
      ['none', 'sk_live_', '', 'live'],
      ['both', 'sk_test_ab', 'xyz', 'test'],
    ]);
  });

  it('takes in keys that are disabled or expired as such', async () => {
    const service = await start();
    const [off, old] = [secretOf(service.schemes), secretOf(service.schemes)];
    await service.importKeys([
      { secret: off, name: 'off', disabled: true },
      { secret: old, name: 'old', expires_at: '2020-01-01T00:00:00Z' },
    ]);
    expect(await verify(service, off)).toMatchObject({ reason: 'disabled' });
    expect(await verify(service, old)).toMatchObject({ reason: 'expired' });
  });

  it('names each key that cannot be taken in once, by its place and its first field at fault, and takes the rest', async () => {
    const { importKeys, schemes } = await start();
    const secret = secretOf(schemes);
    const digest = sha256('something');
    const bad: [unknown, string][] = [
      [null, '(body)'],
      ['text', '(body)'],
      [[], '(body)'],
      [{}, 'name'],
      [{ secret, name: '' }, 'name'],
      [{ secret, name: 'x'.repeat(201) }, 'name'],
      [{ secret, name: 'two\nlines' }, 'name'],
      [{ secret, name: 'turned \u202e round' }, 'name'],
      [{ secret, name: 7 }, 'name'],
      [{ name: 'neither' }, 'secret'],
      [{ secret, sha256: digest, name: 'both' }, 'sha256'],
      [{ secret: '', name: 'empty' }, 'secret'],
      [{ secret: 'x'.repeat(5_000), name: 'huge' }, 'secret'],
      [{ secret: { $ne: null }, name: 'operator' }, 'secret'],
      [{ secret: `${secret}x`, name: 'wrong form' }, 'secret'],
      [{ secret: 'pst_live_short', name: 'wrong form' }, 'secret'],
      [{ secret, name: 'other scheme', scheme: 'mira' }, 'secret'],
      [{ secret, name: 'no scheme', scheme: 'nobody' }, 'scheme'],
      [{ secret, name: 'contradiction', environment: 'test' }, 'environment'],
      [{ sha256: digest, name: 'contradiction', environment: 'live', prefix: 'pst_test_ab' }, 'environment'],
      [{ sha256: digest, name: 'nowhere', environment: 'staging' }, 'environment'],
      [{ sha256: 'abc', name: 'no digest' }, 'sha256'],
      [{ sha256: `${digest.slice(0, -1)}9`, name: 'bits to spare' }, 'sha256'],
      [{ sha256: digest, name: 'foreign', prefix: 'sk_live_ab' }, 'prefix'],
      [{ sha256: digest, name: 'too much', prefix: `pst_live_${'x'.repeat(24)}` }, 'prefix'],
      [{ sha256: digest, name: 'too much', last4: '12345' }, 'last4'],
      [{ secret, name: 'told twice', prefix: 'pst_live_' }, 'prefix'],
      [{ secret, name: 'told twice', last4: 'abcd' }, 'last4'],
      [{ secret, name: 'spaces', owner: ' acme' }, 'owner'],
      [{ secret, name: 'comma', permissions: ['a,b'] }, 'permissions.0'],
      [{ secret, name: 'no list', permissions: 'a' }, 'permissions'],
      [{ secret, name: 'no address', ip_allowlist: ['10.0.0.0/8', '10.0.0.1/8'] }, 'ip_allowlist.1'],
      [{ secret, name: 'no time', expires_at: 'tomorrow' }, 'expires_at'],
      [{ secret, name: 'no plan', scheme: 'postern', plan: 'a\tb' }, 'plan'],
      [{ secret, name: 'zero', rate_limit: { limit: 0, window: '60s' } }, 'rate_limit.limit'],
      [{ secret, name: 'no unit', rate_limit: { limit: 1, window: '60' } }, 'rate_limit.window'],
      [{ secret, name: 'operator', labels: { $where: 'x' } }, 'labels.$where'],
      [{ secret, name: 'trap', labels: JSON.parse('{"__proto__":"x"}') }, 'labels.__proto__'],
      [JSON.parse(`{"secret":"${secret}","name":"trap","__proto__":{"owner":"acme"}}`), '__proto__'],
      [{ secret, name: 'no flag', disabled: 'yes' }, 'disabled'],
      [{ secret, name: 'unknown', id: 'key_1' }, 'id'],
    ];
    const { imported, duplicates, failures } = await importKeys([
      ...bad.map(([key]) => key),
      { secret, name: 'good' },
    ]);
    expect([imported, duplicates]).toEqual([1, []]);
    expect(failures.map(({ index, field }) => [index, field])).toEqual(
      bad.map(([, field], index) => [index, field]),
    );
    expect(JSON.stringify(failures)).not.toContain(secret.slice(9, 40));
    expect(failures.every(({ description }) => description.length > 0 && description.length < 200)).toBe(
      true,
    );
  });

  it('refuses the whole of what is no import', async () => {
    const { admin, ...service } = await start();
    const caller = adminOf({ admin, ...service });
    const refused = async (input: unknown) =>
      admin.importKeys(caller, input).catch(({ code, violations }: Failure) => [code, violations[0]?.field]);
    expect(await refused(null)).toEqual(['INVALID_ARGUMENT', '(body)']);
    expect(await refused({})).toEqual(['INVALID_ARGUMENT', 'keys']);
    expect(await refused({ keys: {} })).toEqual(['INVALID_ARGUMENT', 'keys']);
    expect(await refused({ keys: [], dry_run: 1 })).toEqual(['INVALID_ARGUMENT', 'dry_run']);
    expect(await refused({ keys: [], more: 1 })).toEqual(['INVALID_ARGUMENT', 'more']);
    expect(await refused({ keys: Array(1_001).fill({}) })).toEqual(['INVALID_ARGUMENT', 'keys']);
    expect(await refused({ keys: [] })).toEqual({ imported: 0, duplicates: [], failures: [] });
  });

  it('reports a key that is there, or comes twice, as a secret or as a digest, and leaves the first as it was', async () => {
    const { importKeys, schemes, store } = await start();
    const [one, two, three] = [secretOf(schemes), secretOf(schemes), secretOf(schemes)];
    await importKeys([{ secret: one, name: 'first' }]);
    const again = await importKeys([
      { secret: one, name: 'second' },
      { sha256: sha256(one), name: 'second' },
      { secret: two, name: 'first' },
      { name: 'bad' },
      { sha256: sha256(two), name: 'second' },
      { sha256: sha256(three), name: 'first' },
      { secret: three, name: 'second' },
    ]);
    expect(again).toMatchObject({ imported: 2, duplicates: [0, 1, 4, 6], failures: [{ index: 3 }] });
    const keys = await store.listKeys({ now: 0 }, { before: null, size: 10 });
    expect(keys.map(({ name }) => name)).toEqual(['first', 'first', 'first']);
  });

  it('knows a secret again under each pepper that is configured and under none', async () => {
    const [first, second] = [pepper('2026'), pepper('2027')];
    const store = createSqliteStore({ path: ':memory:', now: Date.now });
    const secrets = await importUnderEach(store, [[], [first], [second, first]]);
    const { importKeys, admin, ...service } = await start({ store, peppers: [second, first] });
    expect(
      (await admin.getDiagnostics(adminOf({ admin, ...service }))).peppers.map(({ keys }) => keys),
    ).toEqual([1, 1, 1]);
    const keys = secrets.map((secret) => ({ secret, name: 'again' }));
    const answer = { imported: 0, duplicates: [0, 1, 2], failures: [] };
    expect(await importKeys(keys, { dry_run: true })).toEqual(answer);
    expect(await importKeys(keys)).toEqual(answer);
  });

  it('says in a dry run what would become of each key, and takes none in', async () => {
    const { importKeys, schemes, store } = await start();
    const there = secretOf(schemes);
    await importKeys([{ secret: there, name: 'there' }]);
    const fresh = secretOf(schemes);
    const keys = [
      { secret: there, name: 'a' },
      { secret: fresh, name: 'a' },
      { secret: fresh, name: 'a' },
      { name: 'a' },
    ];
    const dry = await importKeys(keys, { dry_run: true });
    expect(dry).toMatchObject({ imported: 1, duplicates: [0, 2], failures: [{ index: 3, field: 'secret' }] });
    expect(await store.listKeys({ now: 0 }, { before: null, size: 10 })).toHaveLength(1);
    expect(await importKeys(keys)).toEqual(dry);
  });

  it('is in the journal by how many keys went in, in all, and by nothing of them', async () => {
    const { importKeys, schemes, store } = await start();
    const secrets = Array.from({ length: 250 }, () => secretOf(schemes));
    await importKeys(secrets.map((secret) => ({ secret, name: 'a', owner: 'acme' })));
    await importKeys(secrets.map((secret) => ({ secret, name: 'a', owner: 'acme' })));
    const entries = await store.listJournal({}, { order: 'oldest', after: null, size: 100 });
    expect(entries.map(({ after }) => (after as { imported: number }).imported)).toEqual([250]);
    expect(entries[0]).toMatchObject({
      ...{ action: 'ImportKeys', actor: 'POSTERN_ADMIN_KEY', address: '192.0.2.1', requestId: 'a call' },
      ...{ owner: 'acme', target: expect.stringMatching(/^imp_[0-9a-z]{26}$/), outcome: 'ok' },
    });
    expect(JSON.stringify(entries)).not.toContain(sha256(secrets[0] ?? ''));
  });

  it('lets the thread go on meanwhile', async () => {
    const { importKeys, schemes } = await start();
    const keys = Array.from({ length: 1_000 }, () => ({ secret: secretOf(schemes), name: 'a' }));
    let turns = 0;
    let isDone = false;
    const turn = () => {
      turns++;
      if (!isDone) setImmediate(turn);
    };
    setImmediate(turn);
    await importKeys(keys);
    isDone = true;
    expect(turns).toBeGreaterThanOrEqual(25);
  });
});

describe('who may import', () => {
  it('needs admin:write', async () => {
    const service = await start();
    const reader = await adminKey(service, { permissions: ['admin:read'] });
    const refused = service.importKeys([], {}, reader);
    await expect(refused).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect(service.importKeys([], {}, { ...reader, authorization: [] })).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    });
  });

  it('takes in keys for the owner of an admin key that has one, and for nobody else', async () => {
    const service = await start();
    const caller = await adminKey(service, { permissions: ['admin:write'], owner: 'acme' });
    const keys = [{}, { owner: 'acme' }, { owner: 'other' }].map((more) => ({
      ...{ secret: secretOf(service.schemes), name: 'imported' },
      ...more,
    }));
    const answer = await service.importKeys(keys, {}, caller);
    expect(answer).toMatchObject({ imported: 2, failures: [{ index: 2, field: 'owner' }] });
    const found = await service.store.listKeys(
      { owner: 'acme', nameContains: 'imported', now: 0 },
      { before: null, size: 9 },
    );
    expect(found).toHaveLength(2);
  });
});

/** A key under each of these settings, on the same store; answers their secrets. */
async function importUnderEach(store: ReturnType<typeof createSqliteStore>, settings: Pepper[][]) {
  const secrets: string[] = [];
  for (const peppers of settings) {
    const service = await createTestService({ store, peppers });
    const secret = secretOf(service.schemes);
    secrets.push(secret);
    await service.admin.importKeys(adminOf(service), { keys: [{ secret, name: 'there' }] });
  }
  return secrets;
}

async function adminKey(service: TestService, wanted: object): Promise<Caller> {
  const made = await service.admin.createKey(adminOf(service), {
    name: 'an admin',
    scheme: 'postern',
    ...wanted,
  });
  return { authorization: [`Bearer ${made.secret?.reveal()}`], address: '192.0.2.2' };
}
