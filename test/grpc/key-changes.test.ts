import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import {
  type CreateKeyResponse,
  type GetKeyResponse,
  Key,
  type ListKeysResponse,
  type RotateKeyResponse,
  type UpdateKeyResponse,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { audit } from '../admin-calls.ts';
import { type AdminClient, startAdmin } from './admin-client.ts';

const wanted = {
  name: 'A key',
  owner: 'acme',
  scheme: 'converra',
  permissions: ['a', 'b'],
  roles: [],
  ip_allowlist: ['10.0.0.0/8'],
  principals: ['*.a.example'],
  expires_at: undefined,
  expires_in: '30d',
  plan: 'pro',
  rate_limit: { limit: 100, window: { seconds: 60, nanos: 0 } },
  rate_limits: [],
  labels: { team: 'grid' },
};

async function withKey() {
  const client = await startAdmin();
  const made = await client.call<CreateKeyResponse>('createKey', wanted);
  const key = made.key as Key;
  return { ...client, key, secret: made.secret, update: updater(client, key.id) };
}

function updater({ call, refusal }: AdminClient, id: string) {
  const requestOf = (given: Partial<Key>, update_mask?: string[]) => ({
    key: keyWith({ id, ...given }),
    update_mask,
  });
  return {
    to: (given: Partial<Key>, mask?: string[]) =>
      call<UpdateKeyResponse>('updateKey', requestOf(given, mask)),
    refused: (given: Partial<Key>, mask?: string[]) => refusal('updateKey', requestOf(given, mask)),
  };
}

function keyWith(given: Partial<Key>): Key {
  return { ...Key.decode(new Uint8Array()), ...given };
}

/** What only another change may have changed. */
function but(key: Key | undefined, changed: Partial<Key>) {
  return { ...key, updated_at: expect.anything(), etag: expect.any(String), ...changed };
}

describe('UpdateKey', () => {
  it('takes over the fields that the mask names, and no other that is set', async () => {
    const { key, update } = await withKey();
    const { key: updated } = await update.to({ name: 'Another', labels: { x: 'y' }, plan: 'free' }, ['name']);
    expect(updated).toEqual(but(key, { name: 'Another' }));
  });

  it('empties a field that the mask names and the key does not set', async () => {
    const { key, update } = await withKey();
    const mask = ['permissions', 'ip_allowlist', 'principals', 'expires_at', 'plan', 'rate_limit', 'labels'];
    const nothing = { expires_at: undefined, plan: undefined, rate_limit: undefined };
    const { key: updated } = await update.to({}, mask);
    expect(updated).toEqual(
      but(key, {
        ...nothing,
        permissions: [],
        ip_allowlist: [],
        principals: [],
        labels: {},
        rate_limits: [],
      }),
    );
    expect(await update.refused({}, ['name'])).toMatchObject({
      ...{ code: status.INVALID_ARGUMENT, fields: [{ field: 'key.name', description: 'is required' }] },
    });
  });

  it.each([
    ['without a mask', undefined],
    ['with an empty one', []],
  ])('%s takes over the fields that are set', async (_, mask) => {
    const { key, update } = await withKey();
    const changes = {
      permissions: ['c'],
      principals: ['spiffe://td/*'],
      expires_at: { seconds: Math.floor(Date.now() / 1_000) + 3_600, nanos: 0 },
      rate_limit: { limit: 1, window: { seconds: 1, nanos: 0 } },
    };
    const length = { $case: 'window' as const, value: { seconds: 1, nanos: 0 } };
    const rate_limits = [{ name: 'default', limit: 1, length, shared_by: 'key' }];
    const { key: changed } = await update.to({ ...changes, etag: key.etag }, mask);
    expect(changed).toEqual(but(key, { ...changes, rate_limits }));
    const { key: same } = await update.to({}, mask);
    expect(same).toMatchObject({ ...changes, name: 'A key' });
  });

  it('replaces all that can be changed where the mask is *, and only that', async () => {
    const { key, update } = await withKey();
    const { key: updated } = await update.to({ ...key, name: 'Another', plan: undefined, labels: {} }, ['*']);
    expect(updated).toEqual(but(key, { name: 'Another', plan: undefined, labels: {} }));
  });

  it.each([
    ['names a field that cannot be changed', {}, ['owner'], 'update_mask', 'owner: cannot be changed'],
    ['names the id', {}, ['id'], 'update_mask', 'id: cannot be changed'],
    ['names what is no field', {}, ['nonesuch'], 'update_mask', 'nonesuch: unknown field'],
    ['names a part of a field', {}, ['rate_limit.limit'], 'update_mask', 'rate_limit.limit: unknown field'],
    ['names a trap', {}, ['__proto__'], 'update_mask', '__proto__: unknown field'],
    ['is there beside a bad field', { name: '' }, ['name'], 'key.name', 'is required'],
    [
      'is absent beside what cannot be changed',
      { owner: 'other' },
      undefined,
      'key.owner',
      'cannot be changed',
    ],
    ['is absent beside a state', { state: 2 }, undefined, 'key.state', 'cannot be changed'],
    [
      'names a bad limit',
      { rate_limit: { limit: 0, window: { seconds: 1, nanos: 0 } } },
      ['rate_limit'],
      'key.rate_limit.limit',
      expect.any(String),
    ],
    [
      'names a past',
      { expires_at: { seconds: 1, nanos: 0 } },
      ['expires_at'],
      'key.expires_at',
      'is in the past',
    ],
  ])('is refused where the mask %s', async (_, given, mask, field, description) => {
    const { call, key, update } = await withKey();
    expect(await update.refused(given as Partial<Key>, mask)).toMatchObject({
      ...{ code: status.INVALID_ARGUMENT, reason: 'INVALID_FIELD', fields: [{ field, description }] },
    });
    expect((await call<GetKeyResponse>('getKey', { id: key.id })).key).toEqual(key);
  });

  it('names each field at fault, once', async () => {
    const { update } = await withKey();
    const { fields } = await update.refused({ name: 'a\nb' }, ['name', 'owner', 'nonesuch', 'plan', 'name']);
    expect(fields.map(({ field }) => field).toSorted()).toEqual(['key.name', 'update_mask', 'update_mask']);
  });

  it('of a key with another etag is ABORTED', async () => {
    const { key, update } = await withKey();
    await update.to({ name: 'First', etag: key.etag });
    expect(await update.refused({ name: 'Second', etag: key.etag })).toMatchObject({
      ...{ code: status.ABORTED, reason: 'ETAG_MISMATCH', fields: [] },
    });
  });

  it('says from when on it holds where it narrows access, and not where it does not', async () => {
    const { service, update } = await withKey();
    const wider = await update.to({ permissions: ['a', 'b', 'c'] });
    expect(wider).toMatchObject({ effective_at: undefined, unconfirmed_replicas: [] });
    const { effective_at: at, unconfirmed_replicas } = await update.to({ permissions: ['a'] });
    expect((at?.seconds ?? 0) * 1_000 + (at?.nanos ?? 0) / 1_000_000).toBe(service.clock.now);
    expect(unconfirmed_replicas).toEqual([]);
  });

  it('without a key, or an id, finds none', async () => {
    const { refusal } = await withKey();
    for (const request of [
      { key: undefined, update_mask: undefined },
      { key: keyWith({}), update_mask: ['name'] },
    ]) {
      const { code } = await refusal('updateKey', request);
      expect([status.NOT_FOUND, status.INVALID_ARGUMENT]).toContain(code);
    }
  });
});

it('says of a key that its owner blocks it', async () => {
  const { call } = await startAdmin();
  const made = await call<CreateKeyResponse>('createKey', wanted);
  expect(made.key?.blocked).toBe(undefined);
  await call('putOwner', { id: 'acme', suspended: true, labels: {} });
  const { keys } = await call<ListKeysResponse>('listKeys', {
    page_size: 0,
    page_token: '',
    state: 0,
    order_by: '',
    include_total: false,
    owner: 'acme',
  });
  expect(keys).toEqual([{ ...made.key, blocked: 'owner_inactive' }]);
});

describe('RotateKey', () => {
  const request = { grace_period: undefined, expires_at: undefined };

  it('answers a new key with its secret, and the old one with its end', async () => {
    const { service, call, key, secret } = await withKey();
    const grace_period = { seconds: 3_600, nanos: 500_000_000 };
    const rotated = await call<RotateKeyResponse>('rotateKey', { ...request, id: key.id, grace_period });
    expect(rotated.secret).not.toBe('');
    expect(rotated.secret).not.toBe(secret);
    const { id, prefix, last4, created_at } = rotated.key as Key;
    expect(rotated.key).toEqual(but(key, { id, prefix, last4, created_at, rotated_from: key.id }));
    const seconds = Math.floor((service.clock.now + 3_600_500) / 1_000);
    expect(rotated.rotated_key).toEqual(but(key, { expires_at: { seconds, nanos: 0 }, replaced_by: id }));
    expect([key.created_by, rotated.key?.created_by]).toEqual(['POSTERN_ADMIN_KEY', 'POSTERN_ADMIN_KEY']);
    expect(rotated).toMatchObject({ effective_at: expect.anything(), unconfirmed_replicas: [] });
    const got = await call<GetKeyResponse>('getKey', { id });
    expect(got.key).toEqual(rotated.key);
  });

  it.each([
    ['no grace', undefined],
    ['a grace of nothing', { seconds: 0, nanos: 0 }],
  ])('with %s ends the old one at once', async (_, grace_period) => {
    const { call, key } = await withKey();
    const { rotated_key } = await call<RotateKeyResponse>('rotateKey', {
      ...request,
      id: key.id,
      grace_period,
    });
    expect(rotated_key?.state).toBe(4);
  });

  it('answers a retry without the secret', async () => {
    const { call, key } = await withKey();
    const wanted = { ...request, id: key.id, grace_period: { seconds: 60, nanos: 0 }, request_id: 'r-1' };
    const first = await call<RotateKeyResponse>('rotateKey', wanted);
    const again = await call<RotateKeyResponse>('rotateKey', wanted);
    expect(again).toEqual({ ...first, secret: '', effective_at: again.effective_at });
  });

  it.each([
    ['grace_period', { grace_period: { seconds: -1, nanos: 0 } }],
    ['grace_period', { grace_period: { seconds: 0, nanos: -1 } }],
    ['grace_period', { grace_period: { seconds: 0, nanos: 1 } }],
    ['grace_period', { grace_period: { seconds: 101 * 366 * 86_400, nanos: 0 } }],
    ['expires_at', { expires_at: { seconds: 1, nanos: 0 } }],
    ['expires_in', { expires_in: '0s' }],
    ['expires_in', { expires_in: '1d', expires_at: { seconds: 4_000_000_000, nanos: 0 } }],
    ['request_id', { request_id: 'x'.repeat(129) }],
  ])('names a bad %s in %j', async (field, given) => {
    const { refusal, key } = await withKey();
    expect(await refusal('rotateKey', { ...request, id: key.id, ...given })).toMatchObject({
      ...{ code: status.INVALID_ARGUMENT, fields: [{ field }] },
    });
  });

  it('of a key that was rotated is a FAILED_PRECONDITION that says so', async () => {
    const { call, refusal, key } = await withKey();
    await call('rotateKey', { ...request, id: key.id });
    expect(await refusal('rotateKey', { ...request, id: key.id })).toMatchObject({
      ...{
        code: status.FAILED_PRECONDITION,
        reason: 'KEY_ROTATED',
        message: expect.stringContaining('rotate'),
      },
    });
  });
});

it('metadata x-request-id names a call in the journal, where it says whence it came', async () => {
  const { service, call, refusal, key } = await withKey();
  await call('revokeKey', { id: key.id }, { 'x-request-id': ['req-1'] });
  await refusal('enableKey', { id: key.id }, { 'x-request-id': ['req-2'] });
  expect(await audit(service)).toMatchObject([
    { action: 'EnableKey', requestId: 'req-2', address: '127.0.0.1', error: 'FAILED_PRECONDITION' },
    { action: 'RevokeKey', requestId: 'req-1', address: '127.0.0.1' },
    { action: 'CreateKey', requestId: null },
  ]);
});

it('what broke inside is INTERNAL to its caller, in fixed words', async () => {
  const house = new Error('secret of the house');
  const { refusal, broken } = await startAdmin({ admin: { updateKey: () => Promise.reject(house) } });
  const error = await refusal('updateKey', { key: keyWith({ id: 'x' }), update_mask: undefined });
  expect(error).toMatchObject({ code: status.INTERNAL, reason: 'INTERNAL', fields: [] });
  expect(error.message).not.toContain('house');
  expect(broken).toEqual([house]);
});
