import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { beforeAll, expect, it } from 'vitest';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import { BadRequest, ErrorInfo } from '../../src/grpc/gen/google/rpc/error_details.ts';
import { Status } from '../../src/grpc/gen/google/rpc/status.ts';
import {
  type CreateKeyResponse,
  type GetOwnerResponse,
  KeyAdminService,
  type ListOwnersResponse,
  Owner,
  type PutOwnerRequest,
  type PutOwnerResponse,
  type UpdateOwnerResponse,
  type VerifyKeyResponse,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { createTestService, type TestService } from '../service.ts';

let service: TestService;
let client: InstanceType<ReturnType<typeof makeGenericClientConstructor>>;

beforeAll(async () => {
  service = await createTestService();
  const onBroken = (error: unknown) => {
    throw error;
  };
  const listener = createGrpcListener(
    createAdminService({ admin: service.admin, now: () => service.clock.now, onBroken }),
    { requestBytesMax: 65_536 },
  );
  const address = await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const Client = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  client = new Client(formatListen(address), credentials.createInsecure());
  return async () => {
    client.close();
    await listener.close(1_000);
    await service.store.close();
  };
});

it('puts an owner, says from when it holds, and shows it as it was put', async () => {
  const seconds = Math.floor(service.clock.now / 1_000) + 3_600;
  const made = await call<PutOwnerResponse>(
    'putOwner',
    put({ id: 'acme', plan: 'pro', active_until: { seconds, nanos: 500_000_000 } }),
  );
  expect(made.owner).toMatchObject({
    id: 'acme',
    plan: 'pro',
    active_until: { seconds, nanos: 0 },
    suspended: false,
    active: true,
    created_at: { seconds: Math.floor(service.clock.now / 1_000), nanos: 0 },
    updated_at: made.owner?.created_at,
    etag: expect.stringMatching(/./),
  });
  expect(msOf(made.effective_at)).toBe(service.clock.now);
  expect(made.unconfirmed_replicas).toEqual([]);
  expect(await call<GetOwnerResponse>('getOwner', { id: 'acme' })).toEqual({ owner: made.owner });
});

it('takes what is left out of a put for absent', async () => {
  const active_until = { seconds: 4_000_000_000, nanos: 0 };
  await call('putOwner', put({ id: 'whole', plan: 'pro', active_until, suspended: true }));
  const { owner } = await call<PutOwnerResponse>('putOwner', put({ id: 'whole' }));
  expect(owner).toMatchObject({ suspended: false, active: true });
  expect([owner?.plan, owner?.active_until]).toEqual([undefined, undefined]);
});

it('changes the fields of an owner that the mask names, or without one those that are set', async () => {
  const active_until = { seconds: 4_000_000_000, nanos: 0 };
  await call('putOwner', put({ id: 'masked', plan: 'pro', active_until }));
  const update = (owner: Partial<Owner>, update_mask?: readonly string[]) =>
    call<UpdateOwnerResponse>('updateOwner', {
      ...{ owner: { ...Owner.decode(new Uint8Array()), id: 'masked', ...owner }, update_mask },
    });

  const suspended = await update({ suspended: true });
  expect(suspended.owner).toMatchObject({ plan: 'pro', active_until, suspended: true, active: false });
  expect(msOf(suspended.effective_at)).toBe(service.clock.now);
  expect((await update({ plan: 'free' }, ['suspended'])).owner).toMatchObject({
    ...{ plan: 'pro', active_until, suspended: false },
  });
  const resumed = await update({ suspended: false, etag: '' }, ['suspended']);
  expect([resumed.owner?.suspended, resumed.effective_at]).toEqual([false, undefined]);
  const emptied = await update({}, ['*']);
  expect([emptied.owner?.plan, emptied.owner?.active_until]).toEqual([undefined, undefined]);
  expect(await call<GetOwnerResponse>('getOwner', { id: 'masked' })).toEqual({ owner: emptied.owner });
});

it('names what is at fault in a change of an owner by its place', async () => {
  await call('putOwner', put({ id: 'placed' }));
  const refused = async (owner: Partial<Owner>, update_mask?: readonly string[]) =>
    (
      await refusal('updateOwner', {
        ...{ owner: { ...Owner.decode(new Uint8Array()), id: 'placed', ...owner }, update_mask },
      })
    ).fields.map(({ field }) => field);

  expect(await refused({ plan: '' }, ['plan'])).toEqual(['owner.plan']);
  expect(await refused({ active: true })).toEqual(['owner.active']);
  expect(await refused({}, ['created_at'])).toEqual(['update_mask']);
  expect(await refused({ id: ' x' }, ['plan'])).toEqual(['owner.id']);
  const unnamed = await refusal('updateOwner', { owner: undefined });
  expect([unnamed.code, unnamed.fields[0]?.field]).toEqual([status.INVALID_ARGUMENT, 'owner.id']);
});

it('lists owners by id, in pages', async () => {
  for (const id of ['list/b', 'list/a', 'list/c']) await call('putOwner', put({ id }));
  const ids: string[] = [];
  let page_token = '';
  do {
    const page: ListOwnersResponse = await call('listOwners', { page_size: 2, page_token });
    expect(page.owners.length).toBeLessThanOrEqual(2);
    ids.push(...page.owners.map(({ id }) => id));
    page_token = page.next_page_token;
  } while (page_token !== '');
  expect(ids.filter((id) => id.startsWith('list/'))).toEqual(['list/a', 'list/b', 'list/c']);
  expect(ids).toEqual(ids.toSorted());
  expect(await refusal('listOwners', { page_size: 0, page_token: 'AAAA' })).toMatchObject({
    code: status.INVALID_ARGUMENT,
    fields: [{ field: 'page_token' }],
  });
  expect(await refusal('listOwners', { page_size: -1, page_token: '' })).toMatchObject({
    fields: [{ field: 'page_size' }],
  });
});

it('refuses the keys of an inactive owner and new ones, and restores them when it is renewed', async () => {
  const wanted = create({ name: 'a', scheme: 'mavera', owner: 'renewed' });
  const { secret: key } = await call<CreateKeyResponse>('createKey', wanted);
  const verify = () => call<VerifyKeyResponse>('verifyKey', { key, permissions: [] });
  await call('putOwner', put({ id: 'renewed', active_until: { seconds: 1, nanos: 0 } }));
  expect(await verify()).toMatchObject({ allowed: false, reason: 'owner_inactive', status: 402 });
  expect(await refusal('createKey', wanted)).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: 'OWNER_INACTIVE',
  });
  await call('putOwner', put({ id: 'renewed' }));
  expect(await verify()).toMatchObject({ allowed: true });
  expect((await call<CreateKeyResponse>('createKey', wanted)).secret).not.toBe('');
});

it('answers the retry of a request with the key and an empty secret', async () => {
  const wanted = create({ name: 'a', request_id: 'r-1' });
  const made = await call<CreateKeyResponse>('createKey', wanted);
  const again = await call<CreateKeyResponse>('createKey', wanted);
  expect(made.secret).toMatch(/^pst_live_/);
  expect(again).toEqual({ key: made.key, secret: '' });
});

it.each([
  [{ id: '' }, 'id'],
  [{ id: 'ümlaut' }, 'id'],
  [{ id: ' a' }, 'id'],
  [{ id: 'x'.repeat(129) }, 'id'],
  [{ plan: '' }, 'plan'],
  [{ plan: 'a\nb' }, 'plan'],
  [{ plan: 'x'.repeat(65) }, 'plan'],
  [{ active_until: { seconds: 9_000_000_000_000, nanos: 0 } }, 'active_until'],
  [{ active_until: { seconds: 253_402_300_800, nanos: 0 } }, 'active_until'],
  [{ active_until: { seconds: -99_000_000_000, nanos: 0 } }, 'active_until'],
])('names the field at fault in %j', async (given, field) => {
  const refused = await refusal('putOwner', put({ id: 'faulty', ...given }));
  expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT, reason: 'INVALID_FIELD' });
  expect(new Set(refused.fields.map((fault) => fault.field))).toEqual(new Set([field]));
  expect(await refusal('getOwner', { id: 'faulty' })).toMatchObject({ reason: 'OWNER_NOT_FOUND' });
});

it('shows an admin key that is bound to an owner that owner alone, and lets it put none', async () => {
  for (const id of ['mine', 'theirs']) await call('putOwner', put({ id }));
  const { secret } = await call<CreateKeyResponse>(
    'createKey',
    create({ name: 'admin', permissions: ['admin:write'], owner: 'mine' }),
  );
  const bound = `Bearer ${secret}`;
  const seen = await call<GetOwnerResponse>('getOwner', { id: 'mine' }, bound);
  const listed = await call<ListOwnersResponse>('listOwners', { page_size: 0, page_token: '' }, bound);
  expect(listed).toEqual({ owners: [seen.owner], next_page_token: '' });
  for (const id of ['theirs', 'nobody']) {
    expect(await refusal('getOwner', { id }, bound)).toMatchObject({
      code: status.NOT_FOUND,
      reason: 'OWNER_NOT_FOUND',
    });
  }
  for (const id of ['mine', 'theirs', '']) {
    expect(await refusal('putOwner', put({ id }), bound)).toMatchObject({
      code: status.PERMISSION_DENIED,
      reason: 'OWNER_MISMATCH',
    });
  }
});

it.each(['putOwner', 'getOwner', 'listOwners'])('%s denies who brings no admin key', async (method) => {
  const request = { id: 'acme', suspended: false, labels: {}, page_size: 0, page_token: '' };
  expect(await refusal(method, request, '')).toMatchObject({ code: status.UNAUTHENTICATED });
});

function put(given: Partial<PutOwnerRequest>): PutOwnerRequest {
  return {
    id: '',
    active_until: undefined,
    suspended: false,
    labels: {},
    billing_anchor: undefined,
    ...given,
  };
}

function create(given: object): object {
  return {
    name: '',
    permissions: [],
    roles: [],
    ip_allowlist: [],
    principals: [],
    labels: {},
    rate_limits: [],
    ...given,
  };
}

function msOf(time: { readonly seconds: number; readonly nanos: number } | undefined): number {
  return (time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1_000_000;
}

function call<Response>(
  method: string,
  request: object,
  authorization = service.adminAuthorization,
): Promise<Response> {
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  return new Promise((resolve, reject) => {
    const invoke = client[method] as (...args: unknown[]) => void;
    invoke.call(client, request, metadata, (error: ServiceError | null, response: Response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

async function refusal(method: string, request: object, authorization?: string) {
  const error = await call(method, request, authorization).then(
    () => {
      throw new Error('was not refused');
    },
    (refused: ServiceError) => refused,
  );
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const [info, bad] = Status.decode(bytes as Buffer).details;
  const { reason } = ErrorInfo.decode(info?.value ?? new Uint8Array());
  const fields = bad === undefined ? [] : BadRequest.decode(bad.value).fieldViolations;
  return { code: error.code, reason, fields };
}
