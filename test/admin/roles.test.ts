import { type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { permissionFor } from '../../src/admin/operation-permissions.ts';
import { Key, KeyAdminService, Owner } from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { audit, callerWith, root } from '../admin-calls.ts';
import { startAdmin } from '../grpc/admin-client.ts';
import { startListener } from '../http/listener.ts';
import { createTestService, type TestService } from '../service.ts';

/** An operation on both wires, about a key of owner acme that is there. */
interface Operation {
  readonly needs: 'read' | 'write';
  /** What one who is bound to another owner, with all rights, is told; themselves alone unless it says otherwise. */
  readonly elsewhere: 'ok' | 'NOT_FOUND' | 'PERMISSION_DENIED';
  /** Whether an admin key of the owner may make it, though one of another owner is told PERMISSION_DENIED. */
  readonly isForOwner?: true;
  /** `session` is the id of a portal session of acme. */
  readonly message: (id: string, secret: string, session: string) => object;
  readonly rest: (
    id: string,
    secret: string,
    session: string,
  ) => readonly [method: string, path: string, body?: unknown];
}

const unsetPage = { page_size: 0, page_token: '' };
const unsetKey = {
  permissions: [],
  roles: [],
  ip_allowlist: [],
  principals: [],
  labels: {},
  rate_limits: [],
  expires_at: undefined,
  rate_limit: undefined,
};
const portalSession = { owner: 'acme', permissions: ['keys:read'] };
const imported = (id: string) => ({
  name: 'Imported',
  sha256: Buffer.from(id.padEnd(32).slice(-32)).toString('hex'),
});
const revoking = (verb: 'disable' | 'enable'): Operation => ({
  ...{ needs: 'write', elsewhere: 'NOT_FOUND', message: (id) => ({ id }) },
  rest: (id) => ['POST', `/admin/api-keys/${id}/${verb}`],
});

const operations: Readonly<Record<string, Operation>> = {
  createKey: {
    ...{ needs: 'write', elsewhere: 'ok' },
    message: () => ({ ...unsetKey, name: 'Another' }),
    rest: () => ['POST', '/admin/api-keys', { name: 'Another' }],
  },
  getKey: {
    ...{ needs: 'read', elsewhere: 'NOT_FOUND', message: (id) => ({ id }) },
    rest: (id) => ['GET', `/admin/api-keys/${id}`],
  },
  listKeys: {
    ...{
      needs: 'read',
      elsewhere: 'ok',
      message: () => ({ ...unsetPage, state: 0, order_by: '', include_total: false }),
    },
    rest: () => ['GET', '/admin/api-keys'],
  },
  getKeyUsage: {
    ...{ needs: 'read', elsewhere: 'NOT_FOUND', message: (id) => ({ id, since: undefined }) },
    rest: (id) => ['GET', `/admin/api-keys/${id}/usage`],
  },
  listKeyRequests: {
    ...{ needs: 'read', elsewhere: 'NOT_FOUND', message: (id) => ({ ...unsetPage, id }) },
    rest: (id) => ['GET', `/admin/api-keys/${id}/requests`],
  },
  getUsage: {
    ...{ needs: 'read', elsewhere: 'ok', message: () => unsetPage },
    rest: () => ['GET', '/admin/usage'],
  },
  getKeyLimits: {
    ...{ needs: 'read', elsewhere: 'NOT_FOUND', message: (id) => ({ id }) },
    rest: (id) => ['GET', `/admin/api-keys/${id}/limits`],
  },
  chargeKey: {
    ...{ needs: 'write', elsewhere: 'NOT_FOUND', message: (id) => ({ id, units: 1 }) },
    rest: (id) => ['POST', `/admin/api-keys/${id}:charge`, { units: 1 }],
  },
  updateKey: {
    ...{ needs: 'write', elsewhere: 'NOT_FOUND' },
    message: (id) => ({
      key: { ...Key.decode(new Uint8Array()), id, name: 'Renamed' },
      update_mask: ['name'],
    }),
    rest: (id) => ['PATCH', `/admin/api-keys/${id}`, { name: 'Renamed' }],
  },
  rotateKey: {
    ...{ needs: 'write', elsewhere: 'NOT_FOUND' },
    message: (id) => ({ id, grace_period: { seconds: 60, nanos: 0 }, expires_at: undefined }),
    rest: (id) => ['POST', `/admin/api-keys/${id}/rotate`, { grace_period: '60s' }],
  },
  disableKeys: {
    ...{ needs: 'write', elsewhere: 'ok' },
    message: (id) => ({ filter: undefined, ids: [id], dry_run: false }),
    rest: (id) => ['POST', '/admin/api-keys:disable', { ids: [id] }],
  },
  revokeKeys: {
    ...{ needs: 'write', elsewhere: 'ok' },
    message: (id) => ({ filter: undefined, ids: [id], dry_run: true }),
    rest: (id) => ['POST', '/admin/api-keys:revoke', { ids: [id], dry_run: true }],
  },
  disableKey: revoking('disable'),
  enableKey: revoking('enable'),
  findKey: {
    ...{ needs: 'read', elsewhere: 'NOT_FOUND', message: (_, key) => ({ key }) },
    rest: (_, key) => ['POST', '/admin/api-keys:find', { key }],
  },
  verifyKey: {
    ...{ needs: 'read', elsewhere: 'ok', message: () => ({ key: 'x', permissions: [] }) },
    rest: () => ['POST', '/admin/api-keys:verify', { key: 'x' }],
  },
  importKeys: {
    ...{ needs: 'write', elsewhere: 'ok' },
    message: (id) => {
      const { name, sha256 } = imported(id);
      const credential = { $case: 'sha256', value: sha256 };
      return { keys: [{ ...unsetKey, name, credential, disabled: false }], dry_run: true };
    },
    rest: (id) => ['POST', '/admin/api-keys:import', { keys: [imported(id)], dry_run: true }],
  },
  reportLeakedKeys: {
    ...{ needs: 'write', elsewhere: 'ok', message: () => ({ keys: [{ key: 'x' }] }) },
    rest: () => ['POST', '/admin/leaked-keys', { keys: [{ key: 'x' }] }],
  },
  watchKeys: {
    ...{ needs: 'read', elsewhere: 'ok', message: () => ({ resume_token: '', types: [] }) },
    rest: () => ['GET', '/admin/events'],
  },
  listAuditEvents: {
    ...{ needs: 'read', elsewhere: 'ok' },
    message: () => ({
      ...unsetPage,
      since: undefined,
      until: undefined,
      notices: false,
      order: '',
      after: '',
    }),
    rest: () => ['GET', '/admin/audit-events'],
  },
  getDiagnostics: {
    ...{ needs: 'read', elsewhere: 'PERMISSION_DENIED', message: () => ({}) },
    rest: () => ['GET', '/admin/diagnostics'],
  },
  getTerms: {
    ...{ needs: 'read', elsewhere: 'ok', message: () => ({}) },
    rest: () => ['GET', '/admin/terms'],
  },
  putOwner: {
    ...{ needs: 'write', elsewhere: 'PERMISSION_DENIED' },
    message: () => ({ id: 'acme', active_until: undefined, suspended: false, labels: {} }),
    rest: () => ['PUT', '/admin/owners/acme', {}],
  },
  updateOwner: {
    ...{ needs: 'write', elsewhere: 'PERMISSION_DENIED' },
    message: () => ({
      owner: { ...Owner.decode(new Uint8Array()), id: 'acme' },
      update_mask: ['suspended'],
    }),
    rest: () => ['PATCH', '/admin/owners/acme', { suspended: false }],
  },
  getOwner: {
    ...{ needs: 'read', elsewhere: 'NOT_FOUND', message: () => ({ id: 'acme' }) },
    rest: () => ['GET', '/admin/owners/acme'],
  },
  listOwners: {
    ...{ needs: 'read', elsewhere: 'ok', message: () => unsetPage },
    rest: () => ['GET', '/admin/owners'],
  },
  putRole: {
    ...{ needs: 'write', elsewhere: 'PERMISSION_DENIED' },
    message: () => ({ id: 'reader', permissions: ['read:a'], etag: '' }),
    rest: () => ['PUT', '/admin/roles/reader', { permissions: ['read:a'] }],
  },
  getRole: {
    ...{ needs: 'read', elsewhere: 'PERMISSION_DENIED', message: () => ({ id: 'reader' }) },
    rest: () => ['GET', '/admin/roles/reader'],
  },
  listRoles: {
    ...{ needs: 'read', elsewhere: 'PERMISSION_DENIED', message: () => unsetPage },
    rest: () => ['GET', '/admin/roles'],
  },
  deleteRole: {
    ...{ needs: 'write', elsewhere: 'PERMISSION_DENIED', message: () => ({ id: 'reader', etag: '' }) },
    rest: () => ['DELETE', '/admin/roles/reader'],
  },
  createPortalSession: {
    ...{ needs: 'write', elsewhere: 'PERMISSION_DENIED', isForOwner: true },
    message: () => portalSession,
    rest: () => ['POST', '/admin/portal-sessions', portalSession],
  },
  deletePortalSession: {
    ...{ needs: 'write', elsewhere: 'NOT_FOUND', message: (_id, _secret, session) => ({ id: session }) },
    rest: (_id, _secret, session) => ['DELETE', `/admin/portal-sessions/${session}`],
  },
  // Last: it ends the key.
  revokeKey: {
    ...{ needs: 'write', elsewhere: 'NOT_FOUND', message: (id) => ({ id }) },
    rest: (id) => ['DELETE', `/admin/api-keys/${id}`],
  },
};

/** Who calls, from 127.0.0.1, and what each operation tells them. */
interface Role {
  readonly authorization: (service: TestService) => Promise<string[]>;
  readonly expected: (operation: Operation) => string;
}

const unauthenticated = () => 'UNAUTHENTICATED';
const denied = () => 'PERMISSION_DENIED';

const roles: Readonly<Record<string, Role>> = {
  'no key': { authorization: async () => [], expected: unauthenticated },
  'an empty header': { authorization: async () => [''], expected: unauthenticated },
  'a key that nobody has': {
    authorization: async () => {
      const other = await createTestService();
      const { authorization } = await callerWith(other, ['admin:write']);
      await other.store.close();
      return [...authorization];
    },
    expected: unauthenticated,
  },
  'a malformed key': { authorization: async () => ['Bearer pst_live_tooshort'], expected: unauthenticated },
  'another scheme word': { authorization: async () => ['Basic YTpi'], expected: unauthenticated },
  'two keys': {
    authorization: async (service) => [`${await writer(service)}, ${await writer(service)}`],
    expected: unauthenticated,
  },
  'an expired key': {
    authorization: async (service) => {
      const { key, authorization } = await callerWith(service, ['admin:write']);
      const expires_at = new Date(service.clock.now + 1_000).toISOString();
      await service.admin.updateKey(root(service), key.id, { expires_at });
      service.clock.now += 1_000;
      return [...authorization];
    },
    expected: unauthenticated,
  },
  'a revoked key': {
    authorization: async (service) => {
      const { key, authorization } = await callerWith(service, ['admin:write']);
      await service.admin.revokeKey(root(service), key.id);
      return [...authorization];
    },
    expected: unauthenticated,
  },
  'a disabled key': {
    authorization: async (service) => {
      const { key, authorization } = await callerWith(service, ['admin:write']);
      await service.admin.disableKey(root(service), key.id);
      return [...authorization];
    },
    expected: unauthenticated,
  },
  'a rotated key after its grace': {
    authorization: async (service) => {
      const { key, authorization } = await callerWith(service, ['admin:write']);
      await service.admin.rotateKey(root(service), key.id, {});
      return [...authorization];
    },
    expected: unauthenticated,
  },
  'a key of another scheme': {
    authorization: async (service) => {
      const wanted = { name: 'Theirs', scheme: 'converra', permissions: ['admin:write'] };
      const { secret } = await service.admin.createKey(root(service), wanted);
      return [`Bearer ${secret?.reveal()}`];
    },
    expected: unauthenticated,
  },
  'a key from a wrong address': {
    authorization: async (service) => {
      const wanted = { name: 'Elsewhere', permissions: ['admin:write'], ip_allowlist: ['192.0.2.0/24'] };
      const { secret } = await service.admin.createKey(root(service), wanted);
      return [`Bearer ${secret?.reveal()}`];
    },
    expected: denied,
  },
  'a key that is no admin key': {
    authorization: async (service) => [
      ...(await callerWith(service, ['*', 'admin:*', 'read:x'])).authorization,
    ],
    expected: denied,
  },
  'a key that may only read': {
    authorization: async (service) => [...(await callerWith(service, ['admin:read'])).authorization],
    expected: ({ needs }) => (needs === 'read' ? 'ok' : 'PERMISSION_DENIED'),
  },
  'a key of another owner that may only read': {
    authorization: async (service) => [...(await callerWith(service, ['admin:read'], 'other')).authorization],
    expected: ({ needs, elsewhere }) => (needs === 'read' ? elsewhere : 'PERMISSION_DENIED'),
  },
  'a key of another owner': {
    authorization: async (service) => [
      ...(await callerWith(service, ['admin:write'], 'other')).authorization,
    ],
    expected: ({ elsewhere }) => elsewhere,
  },
  'a key of the owner': {
    authorization: async (service) => [...(await callerWith(service, ['admin:write'], 'acme')).authorization],
    expected: ({ elsewhere, isForOwner = false }) =>
      elsewhere === 'PERMISSION_DENIED' && !isForOwner ? elsewhere : 'ok',
  },
  'a key that may write': {
    authorization: async (service) => [await writer(service)],
    expected: () => 'ok',
  },
  'the admin key of the settings': {
    authorization: async ({ adminAuthorization }) => [adminAuthorization],
    expected: () => 'ok',
  },
};

const nobody = 'key_00000000000000000000000000';
const noSession = `ps_${'0'.repeat(22)}`;
/** Where the console is, which over gRPC no call says. */
const portal = {
  ...{ origin: 'https://console.example.com', isSecure: true, returnOrigins: [], ownOrigin: () => null },
};
const isTold = (outcome: string) => outcome === 'UNAUTHENTICATED' || outcome === 'PERMISSION_DENIED';

it('every method of KeyAdmin is in the table', () => {
  expect(Object.keys(operations).toSorted()).toEqual(Object.keys(KeyAdminService).toSorted());
});

describe.each(Object.entries(roles))('whoever calls with %s', (_, { authorization, expected }) => {
  it('is told the same of each method over gRPC, before whether the thing is there', async () => {
    const { service, call } = await startAdmin({ options: { portal } });
    const metadata = { authorization: await authorization(service) };
    const outcomeOf = (name: string, request: object) =>
      call(name, request, metadata).then(
        () => 'ok',
        (error: ServiceError) => status[error.code] ?? 'no status',
      );
    await expectOutcomes(service, expected, (name, { message }, ...about) =>
      outcomeOf(name, message(...about)),
    );
  });

  it('is told the same of each route over REST, before whether the thing is there', async () => {
    const { service, port } = await startListener();
    const given = await authorization(service);
    const outcomeOf = async ([method, path, body]: ReturnType<Operation['rest']>) => {
      const ended = new AbortController();
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        ...{ method, headers: given.map((value) => ['authorization', value] as [string, string]) },
        ...{ body: body === undefined ? null : JSON.stringify(body), signal: ended.signal },
      });
      if (response.ok) {
        ended.abort();
        return 'ok';
      }
      return ((await response.json()) as { error: { code: string } }).error.code;
    };
    await expectOutcomes(service, expected, (_, { rest }, ...about) => outcomeOf(rest(...about)));
  });
});

/** Calls everything about a key that is there, and where it is refused also about one that is not. */
async function expectOutcomes(
  service: TestService,
  expected: Role['expected'],
  call: (
    name: string,
    operation: Operation,
    ...about: [id: string, secret: string, session: string]
  ) => Promise<string>,
): Promise<void> {
  await service.admin.putOwner(root(service), 'acme', {});
  await service.admin.putRole(root(service), 'reader', { permissions: ['read:b'] });
  const { session } = await service.admin.createPortalSession(root(service), portalSession, 'localhost');
  const wanted: Record<string, string> = {};
  const told: Record<string, string> = {};
  let refused = (await audit(service, { outcome: 'refused' })).length;
  const rate_limit = { limit: 1_000, window: '60s' };
  for (const [name, operation] of Object.entries(operations)) {
    const made = await service.admin.createKey(root(service), { name, owner: 'acme', rate_limit });
    wanted[name] = expected(operation);
    told[name] = await call(name, operation, made.key.id, made.secret?.reveal() ?? '', session.id);
    if (isTold(wanted[name] ?? ''))
      expect([name, await call(name, operation, nobody, 'x', noSession)]).toEqual([name, told[name]]);
    // A read that found nothing is not journalled.
    if (isTold(told[name] ?? '')) refused += 2;
    else if (
      told[name] !== 'ok' &&
      permissionFor(`${name[0]?.toUpperCase()}${name.slice(1)}`) === 'admin:write'
    )
      refused += 1;
  }
  expect(told).toEqual(wanted);
  // A refused call is one event, whichever wire it came by.
  expect(await audit(service, { outcome: 'refused' })).toHaveLength(refused);
}

async function writer(service: TestService): Promise<string> {
  const { authorization } = await callerWith(service, ['admin:write']);
  return authorization[0] ?? '';
}
