import { z } from 'zod';
import { table } from '../terminal/output.ts';

/** What the commands read of a key, in the contract's order; the rest goes through as it is. */
export const keyAnswer = z.looseObject({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  permissions: z.array(z.string()),
  created_at: z.string(),
  last_used_at: z.string().nullable(),
  expires_at: z.string().nullable(),
  scheme: z.string(),
  environment: z.string(),
  owner: z.string().nullable(),
  last4: z.string(),
  ip_allowlist: z.array(z.string()),
  plan: z.string().nullable(),
  rate_limit: z.object({ limit: z.number(), window: z.string() }).nullable(),
  labels: z.record(z.string(), z.string()),
  state: z.string(),
  updated_at: z.string(),
  revoked_at: z.string().nullable(),
  rotated_from: z.string().nullable(),
  etag: z.string(),
  // A service of an older version does not say.
  roles: z.array(z.string()).optional(),
  principals: z.array(z.string()).optional(),
  external_id: z.string().nullish(),
  rate_limits: z
    .array(
      z.looseObject({
        name: z.string(),
        limit: z.number(),
        window: z.string().optional(),
        period: z.string().optional(),
        shared_by: z.string(),
      }),
    )
    .optional(),
  created_by: z.string().nullish(),
  replaced_by: z.string().nullish(),
  blocked: z.string().nullish(),
});

export type KeyAnswer = z.output<typeof keyAnswer>;

const listHeader = ['ID', 'NAME', 'PREFIX', 'STATE', 'OWNER', 'CREATED', 'EXPIRES'];

/** A page of keys, a line each; the header stands on the first page alone. */
export function keyList(keys: readonly KeyAnswer[], isFirstPage: boolean): string {
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.prefix,
    stateText(key),
    key.owner ?? '-',
    key.created_at,
    key.expires_at ?? 'never',
  ]);
  return table(isFirstPage ? [listHeader, ...rows] : rows);
}

/** As `--rate-limit` takes them. */
function rateLimitText({ rate_limit: short, rate_limits: all = [] }: KeyAnswer): string {
  if (short !== null) return `${short.limit}/${short.window}`;
  const texts = all.map(
    ({ name, limit, window, period, shared_by }) =>
      `${name}=${limit}/${window ?? period}${shared_by === 'owner' ? '/owner' : ''}`,
  );
  return texts.join(', ') || '-';
}

/** The state, and what stands in the way of a key that is active. */
function stateText({ state, blocked }: KeyAnswer): string {
  return blocked ? `${state}, blocked (${blocked})` : state;
}

/** One key, a line for each thing that is known of it. */
export function keyDetails(key: KeyAnswer): string {
  const labels = Object.entries(key.labels).map(([name, value]) => `${name}=${value}`);
  return table([
    ['id', key.id],
    ['name', key.name],
    ['state', key.revoked_at === null ? stateText(key) : `${key.state} since ${key.revoked_at}`],
    ['prefix', `${key.prefix}…${key.last4}`],
    ['scheme', key.scheme],
    ['environment', key.environment],
    ['owner', key.owner ?? '-'],
    ['permissions', key.permissions.join(', ') || '-'],
    ...(key.roles?.length ? [['roles', key.roles.join(', ')]] : []),
    ['addresses', key.ip_allowlist.join(', ') || 'any'],
    ...(key.principals?.length ? [['principals', key.principals.join(', ')]] : []),
    ['plan', key.plan ?? '-'],
    ['rate limit', rateLimitText(key)],
    ['labels', labels.join(', ') || '-'],
    ...(key.external_id ? [['external id', key.external_id]] : []),
    ['created', key.created_by ? `${key.created_at} by ${key.created_by}` : key.created_at],
    ['last used', key.last_used_at ?? 'never'],
    ['expires', key.expires_at ?? 'never'],
    ['updated', key.updated_at],
    ...(key.rotated_from === null ? [] : [['rotated from', key.rotated_from]]),
    ...(key.replaced_by ? [['replaced by', key.replaced_by]] : []),
    ['etag', key.etag],
  ]);
}
