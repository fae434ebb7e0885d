import { createPublicKey, verify } from 'node:crypto';
import { expect, it } from 'vitest';
import { createIdentityKeys } from '../../src/identity/identity.ts';
import { leadMs, rotateMs } from '../../src/identity/key-set.ts';
import { type Jwk, jwkOf } from '../../src/identity/signing-key.ts';
import { createIdentityTokens } from '../../src/identity/tokens.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { createSqliteStore } from '../../src/sqlite/store.ts';
import { keyRecord } from '../records.ts';

const expiresInMs = 300_000;
const settings = { header: 'x-token', issuer: 'postern', audience: 'shop', expiresInMs };
const scheme = readPresets().get('postern') as Scheme;
const allowed = (key = keyRecord()) => ({
  ...{
    verdict: 'allow' as const,
    key,
    permissions: key.permissions,
    scheme,
    owner: null,
    plan: 'gold',
    rate: null,
  },
  withheld: { headers: [], changed: [], parameters: [] },
});

/** Two replicas on one store, each of which has its own tokens. */
async function fleet(clock: { now: number }) {
  const store = createSqliteStore({ path: ':memory:', now: () => clock.now });
  await store.open();
  const replicas = [1, 2].map(() => {
    const tokens = createIdentityTokens(settings, () => clock.now);
    const keys = createIdentityKeys(
      { store, given: [], onSigning: tokens.signBy, onError: rethrow, now: () => clock.now },
      { expiresInMs },
    );
    return { tokens, keys };
  });
  return { store, replicas };
}

it('no token is refused through rotations, by whoever keeps a JWKS for five minutes', async () => {
  const clock = { now: Date.parse('2031-01-01T00:00:00Z') };
  const { replicas } = await fleet(clock);
  const key = keyRecord();
  let kept: { at: number; keys: readonly Jwk[] } = { at: Number.NEGATIVE_INFINITY, keys: [] };
  const kids = new Set<string>();
  const out: { token: string; expiresAt: number }[] = [];
  await Promise.all(replicas.map(({ keys }) => keys.refresh()));
  const stepMs = 60_000;
  const end = clock.now + 2.2 * rotateMs;
  while (clock.now < end) {
    // Days of nothing between the rotations are passed over.
    const untilRotation = rotateMs - ((clock.now - Date.parse('2031-01-01T00:00:00Z')) % rotateMs);
    clock.now +=
      untilRotation > 10 * 60_000 && untilRotation < rotateMs - 3 * leadMs
        ? untilRotation - 5 * 60_000
        : stepMs;
    for (const { keys, tokens } of replicas) {
      // One replica looks late.
      if (keys !== replicas[1]?.keys || Math.floor(clock.now / stepMs) % 2 === 0) await keys.refresh();
      const token = tokens.tokenFor(allowed(key))?.[1] ?? '';
      out.push({ token, expiresAt: clock.now + expiresInMs / 2 });
      kids.add(kidOf(token));
    }
    if (clock.now - kept.at >= 300_000) {
      const [, second] = replicas;
      kept = { at: clock.now, keys: second?.keys.jwks().keys ?? [] };
    }
    for (const { token } of out.filter(({ expiresAt }) => expiresAt >= clock.now))
      expect(isVerified(token, kept.keys)).toBe(true);
    out.splice(0, Math.max(0, out.length - 20));
  }
  expect(kids.size).toBe(3);
});

it('keys are made once in a fleet, and those that nobody needs any more are removed', async () => {
  const clock = { now: Date.parse('2031-01-01T00:00:00Z') };
  const { replicas, store } = await fleet(clock);
  await Promise.all(replicas.map(({ keys }) => keys.refresh()));
  const [one, other] = replicas.map(({ keys }) => keys.jwks());
  expect(one).toEqual(other);
  expect(one?.keys.length).toBe(1);
  clock.now += rotateMs + 1;
  await Promise.all(replicas.map(({ keys }) => keys.refresh()));
  expect(replicas.map(({ keys }) => keys.jwks().keys.length)).toEqual([2, 2]);
  clock.now += 86_400_000;
  for (const { keys } of replicas) await keys.refresh();
  expect((await store.listIdentityKeys()).map(({ generation }) => generation)).toEqual([2]);
});

it('one token is made per key and half of its life, and another at once for a key that changed', async () => {
  const clock = { now: Date.parse('2031-01-01T00:00:00.500Z') };
  const { replicas } = await fleet(clock);
  const [replica] = replicas;
  if (replica === undefined) throw new Error('unreachable');
  const { tokens, keys } = replica;
  const key = keyRecord({ owner: 'acme', permissions: ['read:a'] });
  expect(tokens.tokenFor(allowed(key))).toBeNull();
  await keys.refresh();
  const first = tokens.tokenFor(allowed(key));
  expect(first?.[0]).toBe('x-token');
  expect(claimsOf(first?.[1] ?? '')).toEqual({
    ...{ iss: 'postern', sub: key.id, aud: 'shop', iat: 1_924_992_000, exp: 1_924_992_300 },
    ...{
      owner: 'acme',
      scheme: key.scheme,
      environment: key.environment,
      permissions: ['read:a'],
      plan: 'gold',
    },
  });
  clock.now += expiresInMs / 2 - 1;
  expect(tokens.tokenFor(allowed(key))).toBe(first);
  clock.now += 1;
  const second = tokens.tokenFor(allowed(key));
  expect(second).not.toBe(first);
  const changed = { ...key, permissions: [], version: key.version + 1 };
  expect(claimsOf(tokens.tokenFor(allowed(changed))?.[1] ?? '')).toMatchObject({ permissions: [] });
  expect(claimsOf(tokens.tokenFor({ ...allowed(changed), plan: null })?.[1] ?? '')).toMatchObject({
    plan: null,
  });
});

function kidOf(token: string): string {
  return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
}

function claimsOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

function isVerified(token: string, keys: readonly Jwk[]): boolean {
  const jwk = keys.find(({ kid }) => kid === kidOf(token));
  if (jwk === undefined) return false;
  const [head, claims, signature = ''] = token.split('.');
  const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
  const signed = Buffer.from(`${head}.${claims}`);
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
}

function rethrow(error: unknown): never {
  throw error;
}

it('a key that is no private key of P-256 is refused', () => {
  expect(() => jwkOf('rubbish')).toThrow();
});
