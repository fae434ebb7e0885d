import type { Kind } from './values.ts';

type Fields = Readonly<Record<string, Kind>>;

/** A call whose every field is fine, and of what kind each is. `{id}` is a key that is there. */
export interface Request {
  readonly rpc: string;
  readonly method: string;
  readonly path: string;
  readonly good: Readonly<Record<string, unknown>>;
  readonly fields: Fields;
}

const key = { name: 'A key' };
const grants: Fields = {
  ...({ name: 'name', permissions: 'permissions', ip_allowlist: 'networks', expires_at: 'time' } as const),
  ...({ plan: 'text64', rate_limit: 'rateLimit', rate_limits: 'limitList', labels: 'labels' } as const),
  ...({ roles: 'roles', principals: 'principals', external_id: 'text128' } as const),
};

const account: Fields = {
  ...({ name: 'name', contact: 'text256', labels: 'labels' } as const),
  ...({ billing_anchor: 'anchor', keys_max: 'count' } as const),
};

/** The calls that carry a body. */
export const bodies: readonly Request[] = [
  {
    ...{ rpc: 'createKey', method: 'POST', path: '/admin/api-keys', good: key },
    fields: {
      ...{ ...grants, scheme: 'text64', environment: 'text64', owner: 'owner', expires_in: 'duration' },
      request_id: 'text128',
    },
  },
  {
    ...{ rpc: 'updateKey', method: 'PATCH', path: '/admin/api-keys/{id}', good: {} },
    fields: { ...grants, etag: 'text64' },
  },
  {
    ...{ rpc: 'rotateKey', method: 'POST', path: '/admin/api-keys/{id}/rotate', good: {} },
    fields: { grace_period: 'duration', expires_at: 'time', expires_in: 'duration', request_id: 'text128' },
  },
  {
    ...{ rpc: 'verifyKey', method: 'POST', path: '/admin/api-keys:verify', good: { key: 'x' } },
    fields: {
      ...{
        key: 'key',
        method: 'method',
        host: 'text256',
        path: 'path',
        address: 'address',
        scheme: 'text64',
      },
      ...{ environment: 'text64', permissions: 'asked', principal: 'caller' },
    },
  },
  {
    ...{ rpc: 'putRole', method: 'PUT', path: '/admin/roles/acme', good: {} },
    fields: { description: 'text256words', permissions: 'rolePermissions', etag: 'text64' },
  },
  {
    ...{ rpc: 'findKey', method: 'POST', path: '/admin/api-keys:find', good: { key: 'x' } },
    fields: { key: 'key' },
  },
  {
    ...{ rpc: 'putOwner', method: 'PUT', path: '/admin/owners/acme', good: {} },
    fields: { plan: 'text64', active_until: 'time', suspended: 'flag', ...account },
  },
  {
    ...{ rpc: 'updateOwner', method: 'PATCH', path: '/admin/owners/acme', good: {} },
    fields: { plan: 'text64', active_until: 'time', suspended: 'flag', ...account, etag: 'text64' },
  },
];

/** Those that carry a body over REST, apart from what gRPC says of the same. */
export const restBodies: readonly Request[] = [
  {
    ...{ rpc: 'createPortalSession', method: 'POST', path: '/admin/portal-sessions' },
    good: { owner: 'acme', permissions: ['keys:read'] },
    fields: {
      ...{ owner: 'owner', permissions: 'portalPermissions', return_url: 'webAddress', expires_in: 'life' },
    },
  },
  {
    ...{ rpc: 'chargeKey', method: 'POST', path: '/admin/api-keys/{id}:charge', good: { units: 1 } },
    fields: { units: 'units', limit: 'limitName', request_id: 'text128' },
  },
  {
    ...{ rpc: 'revokeKeys', method: 'POST', path: '/admin/api-keys:revoke', good: { ids: ['x'] } },
    fields: { ids: 'ids', dry_run: 'flag' },
  },
  {
    ...{ rpc: 'disableKeys', method: 'POST', path: '/admin/api-keys:disable', good: { ids: ['x'] } },
    fields: { ids: 'ids', dry_run: 'flag' },
  },
];

const leak = { key: 'x' };
/** One of the entries of a list, whose fields are named with their place. */
export const leakFields = { key: 'key', url: 'text2048', source: 'text128' } as const;
export const leaks = {
  rpc: 'reportLeakedKeys',
  method: 'POST',
  path: '/admin/leaked-keys',
  good: leak,
} as const;

/** A key of an import is judged by itself. */
export const importedFields: Fields = {
  ...grants,
  ...({ scheme: 'text64', environment: 'text64', owner: 'owner' } as const),
};

/** The calls that carry a query. */
export const queries: readonly Request[] = [
  {
    ...{ rpc: 'listKeys', method: 'GET', path: '/admin/api-keys', good: {} },
    fields: {
      ...{ page_size: 'size', page_token: 'token', owner: 'owner', scheme: 'text64', environment: 'text64' },
      ...{ state: 'state', permission: 'permission', name_contains: 'name', search: 'name' },
      ...{ external_id: 'text128', role: 'permission', unused_since: 'time', expires_before: 'time' },
      order_by: 'keyOrder',
    },
  },
  {
    ...{ rpc: 'getKeyUsage', method: 'GET', path: '/admin/api-keys/{id}/usage', good: {} },
    fields: { since: 'time' },
  },
  {
    ...{ rpc: 'listKeyRequests', method: 'GET', path: '/admin/api-keys/{id}/requests', good: {} },
    fields: { page_size: 'size', page_token: 'token', since: 'time', until: 'time' },
  },
  {
    ...{ rpc: 'getUsage', method: 'GET', path: '/admin/usage', good: {} },
    fields: {
      ...{ page_size: 'size', page_token: 'token', since: 'time', until: 'time', owner: 'owner' },
      ...{ group_by: 'usageGroup', interval: 'usageInterval', order_by: 'usageOrder' },
    },
  },
  {
    ...{ rpc: 'listOwners', method: 'GET', path: '/admin/owners', good: {} },
    fields: { page_size: 'size', page_token: 'token' },
  },
  {
    ...{ rpc: 'listAuditEvents', method: 'GET', path: '/admin/audit-events', good: {} },
    fields: {
      ...{ page_size: 'size', page_token: 'token', actor: 'text256', action: 'text64', target: 'text256' },
      ...{ outcome: 'outcome', since: 'time', until: 'time', owner: 'owner', order: 'order', after: 'event' },
    },
  },
  {
    ...{ rpc: 'watchKeys', method: 'GET', path: '/admin/events', good: {} },
    fields: { resume_token: 'token', types: 'types' },
  },
];
