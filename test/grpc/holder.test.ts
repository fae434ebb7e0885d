import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { expect, it, onTestFinished } from 'vitest';
import type { HolderSettings } from '../../src/admin/holder/holder.ts';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import { ErrorInfo } from '../../src/grpc/gen/google/rpc/error_details.ts';
import { Status } from '../../src/grpc/gen/google/rpc/status.ts';
import {
  type GetKeyResponse,
  KeyHolderService,
  type RevokeKeyResponse,
  type RotateKeyResponse,
} from '../../src/grpc/gen/postern/holder/v1/key_holder.ts';
import { createHolderService } from '../../src/grpc/holder/holder-server.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { createTestService, type TestServiceOptions } from '../service.ts';
import { listChain } from '../store-contract/setting.ts';

it('tells a key what it is, what it holds in all, and how it stands with its limits', async () => {
  const { own, create, admin, caller } = await start();
  await admin.putRole(caller, 'reader', { permissions: ['read:a', 'read:b'] });
  const made = await create({
    ...{ name: 'Mine', owner: 'acme', permissions: ['read:b', 'write:c'], roles: ['reader'] },
    rate_limits: [{ name: 'daily', limit: 10, period: 'day' }],
  });
  await admin.chargeKey(caller, made.id, { units: 4 });
  const { key } = await own<GetKeyResponse>('getKey', {}, bearer(made.secret));
  expect(key).toMatchObject({
    ...{ id: made.id, name: 'Mine', prefix: made.secret.slice(0, 13), last4: made.secret.slice(-4) },
    ...{ scheme: 'postern', environment: 'live', owner: 'acme', state: 1 },
    ...{ permissions: ['read:b', 'write:c', 'read:a'] },
    limits: [{ name: 'daily', limit: 10, used: 4, remaining: 6, shared_by: 'key' }],
  });
  expect(key?.expires_at).toBeUndefined();
});

it('revokes the key that the call is made with, and journals the key as the actor', async () => {
  const { own, refusal, create, service } = await start();
  const [made, other] = [await create(), await create()];
  const revoked = await own<RevokeKeyResponse>(
    'revokeKey',
    {},
    {
      ...bearer(made.secret),
      'x-request-id': ['a-call'],
    },
  );
  expect(revoked).toMatchObject({ key: { id: made.id, state: 3 }, unconfirmed_replicas: [] });
  expect(revoked.effective_at?.seconds).toBe(Math.floor(service.clock.now / 1_000));
  expect((await listChain(service.store)).at(-1)).toMatchObject({
    ...{ action: 'RevokeKey', actor: made.id, target: made.id, outcome: 'ok', requestId: 'a-call' },
    address: '127.0.0.1',
  });
  const again = await refusal('revokeKey', {}, bearer(made.secret));
  expect(again).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'REVOKED' });
  expect((await own<GetKeyResponse>('getKey', {}, bearer(other.secret))).key?.state).toBe(1);
  expect(service.held.calls).toEqual([
    ['revoke', 'ok'],
    ['revoke', 'revoked'],
    ['read', 'ok'],
  ]);
});

it('replaces the key that the call is made with, and gives it a last grace period', async () => {
  const { own, refusal, create, service } = await start();
  const made = await create({ name: 'Mine', permissions: ['read:a'] });
  const asked = { grace_period: { seconds: 3_600, nanos: 0 }, request_id: 'one' };
  const rotated = await own<RotateKeyResponse>('rotateKey', asked, bearer(made.secret));
  expect(rotated).toMatchObject({
    key: { rotated_from: made.id, permissions: ['read:a'] },
    rotated_key: { id: made.id, replaced_by: rotated.key?.id },
  });
  expect(await own('getKey', {}, bearer(rotated.secret))).toMatchObject({ key: { id: rotated.key?.id } });
  const retried = await own<RotateKeyResponse>('rotateKey', asked, bearer(made.secret));
  expect([retried.key?.id, retried.secret]).toEqual([rotated.key?.id, '']);
  const second = await refusal('rotateKey', { ...asked, request_id: 'two' }, bearer(made.secret));
  expect(second).toMatchObject({ code: status.FAILED_PRECONDITION, reason: 'KEY_ROTATED' });
  const far = { grace_period: { seconds: 4_000_000_000, nanos: 0 } };
  const refused = await refusal('rotateKey', far, bearer(rotated.secret));
  expect(refused).toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(refused.message).toContain('grace_period');
  service.clock.now += 3_600_000;
  expect(await refusal('getKey', {}, bearer(made.secret))).toMatchObject({ reason: 'EXPIRED' });
});

it('is told as gRPC callers are by a Check why a key may not pass, in the words of its scheme', async () => {
  const { refusal, create, admin, caller, service } = await start();
  const [disabled, bound, elsewhere, certified] = [
    await create(),
    await create({ name: 'a', owner: 'acme' }),
    await create({ name: 'a', ip_allowlist: ['192.0.2.0/24'] }),
    await create({ name: 'a', principals: ['spiffe://cluster.local/ns/shop/sa/web'] }),
  ];
  const asset = await create({ name: 'a', scheme: 'powerverse' });
  await admin.disableKey(caller, disabled.id);
  await admin.disableKey(caller, asset.id);
  await admin.putOwner(caller, 'acme', { suspended: true });
  const denials: [Record<string, string[]>, code: number, reason: string, message: RegExp][] = [
    [{}, status.UNAUTHENTICATED, 'MISSING', /API key/],
    [bearer('nonsense'), status.UNAUTHENTICATED, 'MALFORMED', /not valid|invalid/i],
    [bearer(`pst_live_${'a'.repeat(49)}`), status.UNAUTHENTICATED, 'MALFORMED', /not valid|invalid/i],
    [bearer(disabled.secret), status.UNAUTHENTICATED, 'DISABLED', /disabled/],
    [bearer(bound.secret), status.PERMISSION_DENIED, 'OWNER_INACTIVE', /subscription/i],
    [bearer(elsewhere.secret), status.PERMISSION_DENIED, 'ADDRESS_DENIED', /address/i],
    [bearer(certified.secret), status.PERMISSION_DENIED, 'PRINCIPAL_DENIED', /./],
    [{ 'x-api-key': [asset.secret] }, status.UNAUTHENTICATED, 'DISABLED', /./],
    [{ 'x-api-key': [asset.secret, asset.secret] }, status.UNAUTHENTICATED, 'AMBIGUOUS', /./],
    [{ ...bearer(bound.secret), 'x-api-key': [asset.secret] }, status.UNAUTHENTICATED, 'AMBIGUOUS', /./],
  ];
  for (const [metadata, code, reason, message] of denials) {
    for (const method of ['getKey', 'rotateKey', 'revokeKey']) {
      const denied = await refusal(method, {}, metadata);
      expect([method, denied.code, denied.reason]).toEqual([method, code, reason]);
      expect(denied.message).toMatch(message);
      expect(denied.message).not.toContain('{');
      expect(denied.metadata.get('www-authenticate')).toHaveLength(code === status.UNAUTHENTICATED ? 1 : 0);
      expect(denied.metadata.get('content-type')).not.toContain('application/json');
    }
  }
  expect(service.held.failures).toContainEqual(['address_denied', '127.0.0.1']);
});

it('takes a key where its scheme wants it, and never an admin key for another', async () => {
  const { own, refusal, create, service } = await start();
  const asset = await create({ name: 'a', scheme: 'powerverse' });
  const found = await own<GetKeyResponse>('getKey', {}, { 'x-api-key': [asset.secret] });
  expect(found.key).toMatchObject({ id: asset.id, scheme: 'powerverse' });
  const byAdmin = await refusal('revokeKey', {}, { authorization: [service.adminAuthorization] });
  expect(byAdmin).toMatchObject({ code: status.UNAUTHENTICATED, reason: 'MALFORMED' });
});

it('is told of by health and reflection beside KeyAdmin, unless all of it is off', async () => {
  for (const [on, there] of [
    [true, true],
    [false, false],
  ] as const) {
    const { ask, listener } = await start({ read: on, revoke: on, rotate: on });
    listener.setServing(true);
    const listed = await ask('/grpc.health.v1.Health/List');
    expect(listed.includes('postern.admin.v1.KeyAdmin')).toBe(true);
    expect(listed.includes('postern.holder.v1.KeyHolder')).toBe(there);
    const reflection = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
    const services = await ask(reflection, Buffer.from([0x3a, 0x01, 0x2a]));
    expect(services.includes('postern.admin.v1.KeyAdmin')).toBe(true);
    expect(services.includes('postern.holder.v1.KeyHolder')).toBe(there);
    const symbol = Buffer.from('postern.holder.v1.KeyHolder');
    const file = await ask(reflection, Buffer.from([0x22, symbol.length, ...symbol]));
    expect(file.includes('postern/holder/v1/key_holder.proto')).toBe(true);
  }
});

it('takes no key for a permission: what holders may call is not what they may call of KeyAdmin', async () => {
  const { create, callAdmin } = await start();
  const made = await create({ name: 'a', permissions: ['*'] });
  for (const path of ['GetKey', 'RevokeKey']) {
    const error = await callAdmin(path, bearer(made.secret));
    expect(error.code).toBe(status.PERMISSION_DENIED);
  }
});

it('answers UNIMPLEMENTED for what the settings turn off, and for all where they turn off all', async () => {
  for (const name of ['read', 'revoke', 'rotate'] as const) {
    const { create, own, refusal } = await start({ [name]: false });
    const made = await create();
    for (const [method, needs] of calls) {
      const grace = { grace_period: { seconds: 60, nanos: 0 } };
      if (needs === name) {
        expect((await refusal(method, {}, bearer(made.secret))).code).toBe(status.UNIMPLEMENTED);
      } else await own(method, needs === 'rotate' ? grace : {}, bearer(made.secret));
    }
  }
  const none = await start({ read: false, revoke: false, rotate: false });
  const made = await none.create();
  expect((await none.refusal('getKey', {}, bearer(made.secret))).code).toBe(status.UNIMPLEMENTED);
});

it('refuses to end the last admin key that may change everything, and journals that it was tried', async () => {
  const { create, refusal, service } = await start({}, { hasOtherWriter: false });
  const made = await create({ name: 'admin', permissions: ['admin:write'] });
  const refused = await refusal('revokeKey', {}, bearer(made.secret));
  expect(refused).toMatchObject({ code: status.FAILED_PRECONDITION, reason: 'LAST_ADMIN_KEY' });
  expect((await listChain(service.store)).at(-1)).toMatchObject({
    ...{ actor: made.id, action: 'RevokeKey', outcome: 'refused', error: 'FAILED_PRECONDITION' },
  });
});

it('answers UNAVAILABLE where the store is away, and shows nothing of what broke', async () => {
  const { create, refusal, service, broken } = await start();
  const made = await create();
  service.store.getKey = () => Promise.reject(new StoreUnavailable('away'));
  expect((await refusal('revokeKey', {}, bearer(made.secret))).code).toBe(status.UNAVAILABLE);
  expect(broken).toEqual([]);
  service.store.getKey = () => Promise.reject(new Error('an inner thing'));
  const told = await refusal('revokeKey', {}, bearer(made.secret));
  expect(told.code).toBe(status.INTERNAL);
  expect(told.message).not.toContain('inner');
  expect(broken).toHaveLength(1);
});

const calls = [
  ['getKey', 'read'],
  ['rotateKey', 'rotate'],
  ['revokeKey', 'revoke'],
] as const;

function bearer(key: string): Record<string, string[]> {
  return { authorization: [`Bearer ${key}`] };
}

async function start(settings: Partial<HolderSettings> = {}, options: TestServiceOptions = {}) {
  const service = await createTestService(options);
  const [now, broken] = [() => service.clock.now, [] as unknown[]];
  const onBroken = (error: unknown) => void broken.push(error);
  const { admin, holder } = service;
  const holders = createHolderService(
    { holder, now, onBroken },
    { read: true, revoke: true, rotate: true, ...settings },
  );
  const listener = createGrpcListener(
    [createAdminService({ admin, now, onBroken }), ...(holders === null ? [] : [holders])],
    { requestBytesMax: 65_536 },
  );
  const address = formatListen(await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }));
  const Client = makeGenericClientConstructor(KeyHolderService, 'KeyHolder');
  const client = new Client(address, credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    service.tail.close();
    await listener.close(1_000);
    await service.store.close();
  });
  const caller = { authorization: [service.adminAuthorization], address: '127.0.0.1' };
  const own = <Response>(method: string, request: object, given: Record<string, string[]>) =>
    new Promise<Response>((resolve, reject) => {
      const invoke = (client[method] as (...args: unknown[]) => void).bind(client);
      invoke(request, metadataOf(given), (error: ServiceError | null, response: Response) =>
        error === null ? resolve(response) : reject(error),
      );
    });
  return {
    ...{ service, admin, caller, own, broken, listener },
    create: async (wanted: Record<string, unknown> = { name: 'a key' }) => {
      const { key, secret } = await admin.createKey(caller, wanted);
      return { id: key.id, secret: secret?.reveal() ?? '' };
    },
    refusal: async (method: string, request: object, given: Record<string, string[]>) => {
      const error = await own(method, request, given).then(
        () => Promise.reject(new Error(`${method} was not refused`)),
        (refused: ServiceError) => refused,
      );
      return { ...reasonIn(error), code: error.code, message: error.details, metadata: error.metadata };
    },
    /** The bytes of the first answer to these of a call's one message. */
    ask: (path: string, message = Buffer.alloc(0)) =>
      new Promise<Buffer>((resolve, reject) => {
        const asTheyAre = (bytes: Buffer) => bytes;
        const stream = client.makeBidiStreamRequest(path, asTheyAre, asTheyAre, new Metadata());
        stream.on('data', resolve).on('error', reject);
        stream.end(message);
      }),
    callAdmin: (method: string, given: Record<string, string[]>) =>
      new Promise<ServiceError>((resolve, reject) => {
        const asTheyAre = (message: Buffer) => message;
        const path = `/postern.admin.v1.KeyAdmin/${method}`;
        const taken = (error: ServiceError | null) =>
          error === null ? reject(new Error(path)) : resolve(error);
        client.makeUnaryRequest(path, asTheyAre, asTheyAre, Buffer.alloc(0), metadataOf(given), taken);
      }),
  };
}

function metadataOf(given: Record<string, string[]>): Metadata {
  const metadata = new Metadata();
  for (const [name, values] of Object.entries(given)) for (const value of values) metadata.add(name, value);
  return metadata;
}

/** Of an error with one ErrorInfo at most. */
function reasonIn(error: ServiceError): { reason: string } {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (bytes === undefined) return { reason: '' };
  const [info] = Status.decode(bytes as Buffer).details;
  return { reason: ErrorInfo.decode(info?.value ?? new Uint8Array()).reason };
}
