import {
  type ExportTree,
  isFalse,
  isTrue,
  items,
  type Members,
  members,
  numberOf,
  textOf,
} from './export-tree.ts';
import { type ImportRow, importRow, labelsOf, RowError } from './row.ts';

/** Whether it is a list of Unkey's keys: bare, in the API's answers, or in the body of its migration. */
export function isUnkey(value: unknown): boolean {
  const names = ['hash', 'keyId', 'keyAuthId', 'key_auth_id'];
  return listOf(value).list.some((item) => names.some((name) => Object.hasOwn(members(item), name)));
}

/**
 * Keys of Unkey, which keeps base64 of their SHA-256 as `hash`: rows of its table `keys`, the body of
 * `keys.migrateKeys`, or the API's own lists, where keys that are recoverable have a `plaintext`. What Postern could
 * only loosen (uses that are counted down, more than one rate limit) is a fault.
 */
export function unkeyRows({ value, placeOf }: ExportTree): ImportRow[] {
  const { path, list } = listOf(value);
  return list.map((item, at) => importRow(placeOf([...path, at]), () => keyOf(members(item))));
}

function listOf(value: unknown): { path: string[]; list: readonly unknown[] } {
  if (Array.isArray(value)) return { path: [], list: value };
  const { keys, data } = members(value);
  if (Array.isArray(keys)) return { path: ['keys'], list: keys };
  if (Array.isArray(data)) return { path: ['data'], list: data };
  return { path: ['data', 'keys'], list: items(members(data).keys) };
}

function keyOf(item: Members): Members {
  requireKept(item);
  const owner =
    textOf(item.externalId) ??
    textOf(item.external_id) ??
    textOf(members(item.identity).externalId) ??
    textOf(item.ownerId) ??
    textOf(item.owner_id);
  const name = textOf(item.name) ?? textOf(item.keyId) ?? textOf(item.id) ?? 'Imported from Unkey';
  const permissions = permissionsOf(item);
  const labels = metaLabels(item.meta);
  const expiresAt = expiryOf(item.expires);
  const rateLimits = rateLimitsOf(item);
  return {
    ...credentialOf(item),
    name: name.slice(0, 200),
    ...(owner !== null && { owner }),
    ...(permissions.length > 0 && { permissions }),
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(expiresAt !== null && { expires_at: expiresAt }),
    ...rateLimits,
    ...(isFalse(item.enabled) && { disabled: true }),
  };
}

function requireKept({ deletedAt, deleted_at, credits, remaining, remaining_requests }: Members): void {
  if (textOf(deletedAt ?? deleted_at) !== null) throw new RowError('', 'was deleted in Unkey');
  const left = numberOf(members(credits).remaining ?? remaining ?? remaining_requests);
  if (left !== null) throw new RowError('', 'has a number of uses left, which Postern does not count down');
}

function credentialOf({ hash, plaintext, start }: Members): Members {
  const secret = textOf(plaintext);
  if (secret !== null) return { secret };
  const { value, variant } = members(hash);
  if (variant !== undefined && variant !== 'sha256_base64') throw new RowError('sha256', 'is not a SHA-256');
  const sha256 = textOf(value ?? hash);
  const advice = "Unkey's API does not show hashes, its table `keys` does";
  if (sha256 === null) throw new RowError('sha256', `has neither hash nor plaintext: ${advice}`);
  const prefix = textOf(start);
  return { sha256, ...(prefix !== null && { prefix }) };
}

/** A role is no permission by its name: `role:editor` is asked for by nobody who does not mean it. */
function permissionsOf({ permissions, roles }: Members): string[] {
  const names = (list: unknown) =>
    items(list).flatMap((item) => textOf(item) ?? textOf(members(item).slug ?? members(item).name) ?? []);
  return [...names(permissions), ...names(roles).map((role) => `role:${role}`)];
}

/** Metadata, which the table holds as JSON text; what is no text itself becomes JSON. */
function metaLabels(meta: unknown): Record<string, string> {
  const entries = Object.entries(members(typeof meta === 'string' ? parsed(meta) : meta));
  return labelsOf(
    entries
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const),
  );
}

function parsed(text: string): unknown {
  if (textOf(text) === null) return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new RowError('labels', 'has metadata that is not JSON');
  }
}

/** Unix milliseconds, or a date and time as MySQL or RFC 3339 writes it, in UTC. */
function expiryOf(expires: unknown): string | null {
  const text = textOf(expires);
  if (text === null || text === '0') return null;
  const isCount = /^[0-9]+$/.test(text);
  const date = new Date(
    isCount ? Number(text) : `${text.replace(' ', 'T')}${/[Zz]|[+-]\d\d:\d\d$/.test(text) ? '' : 'Z'}`,
  );
  if (Number.isFinite(date.getTime())) return date.toISOString();
  throw new RowError('expires_at', 'cannot be read as a time');
}

/** The limits that hold without being asked for, one in the short form. */
function rateLimitsOf(item: Members): Members {
  const { limit: oldLimit, duration, refillInterval } = members(item.ratelimit);
  const all = [
    ...items(item.ratelimits)
      .map(members)
      .filter(({ autoApply }) => isTrue(autoApply))
      .map((one) => ({ name: textOf(one.name), limit: numberOf(one.limit), ms: numberOf(one.duration) })),
    { name: null, limit: numberOf(oldLimit), ms: numberOf(duration ?? refillInterval) },
    {
      name: null,
      limit: numberOf(item.ratelimit_limit ?? item.ratelimitLimit),
      ms: numberOf(item.ratelimit_duration ?? item.ratelimitDuration),
    },
  ].filter(({ limit, ms }) => limit !== null || ms !== null);
  const [only, ...more] = all;
  if (only === undefined) return {};
  if (all.some(({ limit, ms }) => limit === null || ms === null)) {
    throw new RowError('rate_limit', 'has no limit or no duration');
  }
  if (more.length === 0) return { rate_limit: { limit: only.limit, window: `${only.ms}ms` } };
  return {
    rate_limits: all.map(({ name, limit, ms }, place) => ({
      name: limitName(name, place),
      ...{ limit, window: `${ms}ms` },
    })),
  };
}

/** Names there may be of other characters than here. */
function limitName(name: string | null, place: number): string {
  const read = (name ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .slice(0, 32);
  return read === '' || read === '-' ? `limit-${place + 1}` : read;
}
