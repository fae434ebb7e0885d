import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import { BadRequest, ErrorInfo } from '../../src/grpc/gen/google/rpc/error_details.ts';
import { Status } from '../../src/grpc/gen/google/rpc/status.ts';
import {
  type CreateKeyRequest,
  type CreateKeyResponse,
  type GetKeyResponse,
  KeyAdminService,
  type ListKeysRequest,
  type ListKeysResponse,
  type RevokeKeyResponse,
  type VerifyKeyResponse,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener, type GrpcListener } from '../../src/grpc/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { createTestService, type TestService } from '../service.ts';

let service: TestService;
let listener: GrpcListener;
let client: InstanceType<ReturnType<typeof makeGenericClientConstructor>>;
const broken: unknown[] = [];

beforeAll(async () => {
  service = await createTestService();
  const now = () => service.clock.now;
  const admin = { ...service.admin };
  listener = createGrpcListener(createAdminService({ admin, now, onBroken: (error) => broken.push(error) }), {
    requestBytesMax: 65_536,
  });
  const address = await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const Client = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  client = new Client(formatListen(address), credentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await listener.close(1_000);
  await service.store.close();
});

describe('KeyAdmin', () => {
  it('makes a key whose secret no other call shows', async () => {
    const made = await call<CreateKeyResponse>(
      'createKey',
      create({ name: 'One', expires_in: '30d', labels: { a: 'b' } }),
    );
    expect(made.secret).toMatch(/^pst_live_/);
    expect(made.key).toMatchObject({
      name: 'One',
      scheme: 'postern',
      environment: 'live',
      state: 1,
      labels: { a: 'b' },
    });
    expect(Number(made.key?.expires_at?.seconds) - Number(made.key?.created_at?.seconds)).toBe(30 * 86_400);
    const got = await call<GetKeyResponse>('getKey', { id: made.key?.id });
    const listed = await call<ListKeysResponse>('listKeys', list({}));
    expect(got.key).toEqual(made.key);
    expect(JSON.stringify([got, listed])).not.toContain(made.secret);
  });

  it('gives times and limits back as they were sent', async () => {
    const seconds = Math.floor(service.clock.now / 1_000) + 3_600;
    const rate_limit = { limit: 100, window: { seconds: 60, nanos: 0 } };
    const made = await call<CreateKeyResponse>(
      'createKey',
      create({ name: 'Limited', expires_at: { seconds, nanos: 0 }, rate_limit }),
    );
    expect(made.key).toMatchObject({ expires_at: { seconds }, rate_limit });
  });

  it('lists the newest first, in pages that belong to their query', async () => {
    for (const name of ['p1', 'p2', 'p3']) await call('createKey', create({ name, owner: 'pager' }));
    const first = await call<ListKeysResponse>('listKeys', list({ owner: 'pager', page_size: 2 }));
    expect(first.keys.map(({ name }) => name)).toEqual(['p3', 'p2']);
    const page_token = first.next_page_token;
    const second = await call<ListKeysResponse>(
      'listKeys',
      list({ owner: 'pager', page_size: 2, page_token }),
    );
    expect(second).toMatchObject({ keys: [{ name: 'p1' }], next_page_token: '' });
    expect(first.total_size).toBeUndefined();
    const counted = list({ owner: 'pager', page_size: 1, page_token: '', include_total: true });
    expect(await call<ListKeysResponse>('listKeys', counted)).toMatchObject({ total_size: 3 });
    const error = await refusal('listKeys', list({ owner: 'other', page_token }));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, fields: [{ field: 'page_token' }] });
    const forged = await refusal('listKeys', list({ page_token: 'AAAA' }));
    expect(forged).toMatchObject({ code: status.INVALID_ARGUMENT, fields: [{ field: 'page_token' }] });
  });

  it('revokes for good, and says from when', async () => {
    const made = await call<CreateKeyResponse>('createKey', create({ name: 'Gone' }));
    const id = made.key?.id;
    const revoked = await call<RevokeKeyResponse>('revokeKey', { id });
    expect(revoked).toMatchObject({ key: { state: 3 }, unconfirmed_replicas: [] });
    expect(Number(revoked.effective_at?.seconds)).toBeLessThanOrEqual(service.clock.now / 1_000);
    const again = await call<RevokeKeyResponse>('revokeKey', { id });
    expect(again.key?.revoked_at).toEqual(revoked.key?.revoked_at);
    for (const method of ['enableKey', 'disableKey']) {
      expect(await refusal(method, { id })).toMatchObject({
        code: status.FAILED_PRECONDITION,
        reason: 'KEY_REVOKED',
      });
    }
  });

  it('tries a key without using it', async () => {
    const made = await call<CreateKeyResponse>(
      'createKey',
      create({ name: 'Tried', scheme: 'powerverse', permissions: ['a:b'] }),
    );
    const tried = (given: object) =>
      call<VerifyKeyResponse>('verifyKey', { key: made.secret, permissions: [], ...given });
    expect(await tried({})).toEqual({ allowed: true, reason: '', status: 200, key_id: made.key?.id });
    expect(await tried({ permissions: ['a:b', 'c:d'] })).toMatchObject({
      allowed: false,
      reason: 'permission_denied',
      status: 403,
    });
    expect(await tried({ environment: 'test' })).toMatchObject({ reason: 'wrong_environment', status: 401 });
    expect(await tried({ scheme: 'converra' })).toMatchObject({ reason: 'malformed', key_id: '' });
    expect(await tried({ key: `${made.secret}x` })).toMatchObject({ reason: 'unknown' });
  });

  it.each([
    ['no key', []],
    ['a wrong key', ['Bearer pst_live_wrong']],
    ['another scheme word', ['Basic YTpi']],
    ['two keys', ['Bearer pst_live_one, Bearer pst_live_two']],
  ])('denies %s', async (_, authorization) => {
    const error = await refusal('getKey', { id: 'key_x' }, authorization);
    expect(error).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'ADMIN_KEY_REQUIRED' });
  });

  it('says what a key may not do before it says whether the thing exists', async () => {
    const reader = await adminKeyWith(['admin:read']);
    const nobody = await adminKeyWith(['read:things']);
    expect(await refusal('revokeKey', { id: 'key_x' }, [reader])).toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    expect(await refusal('getKey', { id: 'key_x' }, [reader])).toMatchObject({ code: status.NOT_FOUND });
    expect(await refusal('getKey', { id: 'key_x' }, [nobody])).toMatchObject({
      code: status.PERMISSION_DENIED,
    });
  });

  it('shows an owner-bound admin key nothing of any other owner', async () => {
    const bound = await adminKeyWith(['admin:write'], 'acme');
    const own = await call<CreateKeyResponse>('createKey', create({ name: 'Own' }), [bound]);
    const other = await call<CreateKeyResponse>('createKey', create({ name: 'Other', owner: 'other' }));
    expect(own.key?.owner).toBe('acme');
    const listed = await call<ListKeysResponse>('listKeys', list({}), [bound]);
    expect(new Set(listed.keys.map(({ owner }) => owner))).toEqual(new Set(['acme']));
    for (const method of ['getKey', 'revokeKey', 'disableKey', 'enableKey']) {
      expect(await refusal(method, { id: other.key?.id }, [bound])).toMatchObject({ code: status.NOT_FOUND });
    }
    for (const [method, request] of [
      ['createKey', create({ name: 'x', owner: 'other' })],
      ['listKeys', list({ owner: 'other' })],
    ] as const) {
      expect(await refusal(method, request, [bound])).toMatchObject({
        code: status.PERMISSION_DENIED,
        reason: 'OWNER_MISMATCH',
      });
    }
    const tried = await call<VerifyKeyResponse>('verifyKey', { key: other.secret, permissions: [] }, [bound]);
    expect(tried).toEqual({ allowed: false, reason: 'unknown', status: 401, key_id: '' });
  });

  it.each([
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(10_000) }, 'name'],
    [{ name: 'a\nb' }, 'name'],
    [{ name: 'right-to-left \u202e' }, 'name'],
    [{ name: 'x', scheme: 'nobody' }, 'scheme'],
    [{ name: 'x', environment: 'staging' }, 'environment'],
    [{ name: 'x', expires_in: '0s' }, 'expires_in'],
    [{ name: 'x', expires_in: '15' }, 'expires_in'],
    [{ name: 'x', expires_in: '1d', expires_at: { seconds: 4_000_000_000, nanos: 0 } }, 'expires_in'],
    [{ name: 'x', expires_at: { seconds: 1, nanos: 0 } }, 'expires_at'],
    [{ name: 'x', expires_at: { seconds: 9_000_000_000_000, nanos: 0 } }, 'expires_at'],
    [{ name: 'x', ip_allowlist: ['10.0.0.0/8', '10.0.0.1/8'] }, 'ip_allowlist.1'],
    [{ name: 'x', permissions: ['a,b'] }, 'permissions.0'],
    [{ name: 'x', owner: 'ümlaut' }, 'owner'],
    [{ name: 'x', labels: { 'a b': 'c' } }, 'labels.a b'],
    [{ name: 'x', rate_limit: { limit: 0, window: { seconds: 60, nanos: 0 } } }, 'rate_limit.limit'],
    [{ name: 'x', rate_limit: { limit: 1, window: undefined } }, 'rate_limit.window'],
  ])('names the field at fault in %j', async (given, field) => {
    const error = await refusal('createKey', create(given as Partial<CreateKeyRequest>));
    expect(error).toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: 'INVALID_FIELD',
      fields: [{ field }],
    });
  });

  it('takes rubbish and what is too large for errors of the call alone, and goes on', async () => {
    expect(await raw(Buffer.from('rubbish'))).toMatchObject({ code: status.INTERNAL });
    expect(await raw(Buffer.alloc(100_000))).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(await call('listKeys', list({}))).toBeDefined();
  });

  it('shows nothing of what broke inside', async () => {
    const { close } = service.store;
    expect(close).toBeTypeOf('function');
    const before = broken.length;
    const error = await refusal('getKey', { id: 'key_\0' });
    expect(error.code).toBe(status.NOT_FOUND);
    expect(broken).toHaveLength(before);
  });
});

function create(given: Partial<CreateKeyRequest>): CreateKeyRequest {
  return {
    name: '',
    permissions: [],
    roles: [],
    ip_allowlist: [],
    principals: [],
    labels: {},
    expires_at: undefined,
    rate_limit: undefined,
    rate_limits: [],
    ...given,
  };
}

function list(given: Partial<ListKeysRequest>): ListKeysRequest {
  return {
    page_size: 0,
    page_token: '',
    state: 0,
    order_by: '',
    include_total: false,
    unused_since: undefined,
    expires_before: undefined,
    ...given,
  };
}

async function adminKeyWith(permissions: string[], owner?: string): Promise<string> {
  const made = await call<CreateKeyResponse>(
    'createKey',
    create({ name: 'Admin', permissions, ...(owner && { owner }) }),
  );
  return `Bearer ${made.secret}`;
}

function call<Response>(
  method: string,
  request: unknown,
  authorization = [service.adminAuthorization],
): Promise<Response> {
  const metadata = new Metadata();
  for (const value of authorization) metadata.add('authorization', value);
  return new Promise((resolve, reject) => {
    const invoke = client[method] as (...args: unknown[]) => void;
    invoke.call(client, request, metadata, (error: ServiceError | null, response: Response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

async function refusal(method: string, request: unknown, authorization?: string[]) {
  const error = await call(method, request, authorization).then(
    () => {
      throw new Error('was not refused');
    },
    (refused: ServiceError) => refused,
  );
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const { details } = Status.decode(bytes as Buffer);
  const [info, bad] = details;
  expect(info?.typeUrl).toBe('type.googleapis.com/google.rpc.ErrorInfo');
  const { reason, domain } = ErrorInfo.decode(info?.value ?? new Uint8Array());
  expect(domain).toBe('postern');
  const fields = bad === undefined ? [] : BadRequest.decode(bad.value).fieldViolations;
  return { code: error.code, reason, fields, message: error.details };
}

function raw(bytes: Buffer): Promise<ServiceError> {
  return new Promise((resolve, reject) => {
    const same = (value: Buffer) => value;
    client.makeUnaryRequest('/postern.admin.v1.KeyAdmin/CreateKey', same, same, bytes, (error) =>
      error === null ? reject(new Error('was not refused')) : resolve(error),
    );
  });
}
