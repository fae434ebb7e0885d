import { createHash, randomBytes } from 'node:crypto';
import { beforeAll, expect, it } from 'vitest';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { createScheme, schemeSpec } from '../../src/settings/schemes/scheme-spec.ts';
import { callerWith, root } from '../admin-calls.ts';
import { createTestService, type TestService } from '../service.ts';

const gateway = createScheme(
  schemeSpec.parse({
    name: 'gateway',
    places: [{ header: 'apikey' }],
    prefixes: { '': 'live' },
    accept: { alphabet: 'A-Za-z0-9_', min: 8, max: 64 },
  }),
  { answers: (readPresets().get('postern') as Scheme).answers, checksumKeys: [] },
);

let service: TestService;

beforeAll(async () => {
  service = await createTestService({ schemes: [gateway] });
  return () => service.store.close();
});

/** A whole key of the scheme powerverse, made where its user is. */
const madeElsewhere = () => `ak_live_${randomBytes(24).toString('hex').slice(0, 32)}`;
const sha256 = (secret: string) => createHash('sha256').update(secret).digest();

async function make(input: Readonly<Record<string, unknown>>) {
  return service.admin.createKey(root(service), { name: 'by digest', scheme: 'powerverse', ...input });
}

it('makes a key of a secret of which the digest alone is told, and tells none', async () => {
  const secret = madeElsewhere();
  const made = await make({ sha256: sha256(secret).toString('hex'), permissions: ['read:assets'] });
  expect(made).toMatchObject({
    secret: null,
    key: { prefix: 'ak_live_', last4: '', environment: 'live', permissions: ['read:assets'] },
  });
  const verified = await service.admin.verifyKey(root(service), { key: secret });
  expect(verified).toMatchObject({ allowed: true, keyId: made.key.id });
  expect((await service.admin.findKey(root(service), { key: secret })).id).toBe(made.key.id);
});

it('is known at once to whoever was told before that there is no such key', async () => {
  const secret = madeElsewhere();
  const verify = () => service.admin.verifyKey(root(service), { key: secret });
  expect(await verify()).toMatchObject({ allowed: false, reason: 'unknown' });
  await make({ sha256: sha256(secret).toString('hex') });
  expect(await verify()).toMatchObject({ allowed: true });
});

it('reads a digest as people write one, and shows of it what may be shown', async () => {
  for (const encoding of ['hex', 'base64', 'base64url'] as const) {
    const secret = madeElsewhere();
    const shown = { prefix: secret.slice(0, 11), last4: secret.slice(-3) };
    const { key } = await make({ sha256: sha256(secret).toString(encoding), ...shown });
    expect(key).toMatchObject(shown);
    expect(await service.admin.verifyKey(root(service), { key: secret })).toMatchObject({ allowed: true });
  }
});

it('takes the environment of the beginning that is shown', async () => {
  const { key } = await make({ sha256: sha256(madeElsewhere()).toString('hex'), prefix: 'ak_test_' });
  expect(key.environment).toBe('test');
});

it('makes no second key of one digest, and says so by its field', async () => {
  const asked = { sha256: sha256(madeElsewhere()).toString('hex') };
  const first = await make({ ...asked, request_id: 'once' });
  expect((await make({ ...asked, request_id: 'once' })).key.id).toBe(first.key.id);
  await expect(make({ ...asked, name: 'second' })).rejects.toMatchObject({
    ...{ code: 'ALREADY_EXISTS', reason: 'KEY_EXISTS' },
    violations: [{ field: 'sha256' }],
  });
});

it.each([
  [{ sha256: 'short' }, 'sha256'],
  [{ sha256: `${'ab'.repeat(32)}`, prefix: 'zz_live_' }, 'prefix'],
  [{ sha256: `${'ab'.repeat(32)}`, prefix: 'ak_test_', environment: 'live' }, 'environment'],
  [{ prefix: 'ak_live_' }, 'prefix'],
  [{ last4: 'abcd' }, 'last4'],
])('names what is wrong with %o', async (input, field) => {
  await expect(make(input)).rejects.toMatchObject({
    ...{ code: 'INVALID_ARGUMENT' },
    violations: [{ field }],
  });
});

it('takes a digest for a scheme whose keys are never made', async () => {
  const made = await make({ scheme: 'gateway', sha256: sha256('a_short_key').toString('base64') });
  expect(made.key).toMatchObject({ scheme: 'gateway', prefix: '', last4: '' });
  await expect(make({ scheme: 'gateway' })).rejects.toMatchObject({ violations: [{ field: 'scheme' }] });
});

it('holds a bound admin key to its owner', async () => {
  const caller = await callerWith(service, ['admin:read', 'admin:write'], 'acme');
  const input = { name: 'own', scheme: 'powerverse', sha256: sha256(madeElsewhere()).toString('hex') };
  expect((await service.admin.createKey(caller, input)).key.owner).toBe('acme');
});
