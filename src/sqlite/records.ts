import type { SQLInputValue } from 'node:sqlite';
import { type KeyId, type KeyRecord, type KeyState, purgeAt } from '../key.ts';
import { BadRecord, checkedRecord, type KeyFilter } from '../store.ts';

/** What a statement is given by name. */
export type Parameters = Record<string, SQLInputValue>;
/** What a statement gives by column. */
export type Row = Readonly<Record<string, unknown>>;

/** The columns that a record is read from. */
export const recordColumns =
  'id, digest, request_key, version, scheme, environment, owner, last_used_at, expires_at, disabled_at, revoked_at, record';

/** Members without a column of their own, in the JSON of `record`. */
interface Rest
  extends Pick<
    KeyRecord,
    | 'name'
    | 'prefix'
    | 'last4'
    | 'permissions'
    | 'ipAllowlist'
    | 'plan'
    | 'rateLimit'
    | 'labels'
    | 'createdAt'
    | 'updatedAt'
    | 'rotatedFrom'
  > {}

/** A record as the columns of its row, all but `last_used_at`, which only an insert writes. */
export function toRow(record: KeyRecord, retentionMs: number): Parameters {
  const { name, prefix, last4, permissions, ipAllowlist, plan, rateLimit } = record;
  const { labels, createdAt, updatedAt, rotatedFrom } = record;
  const rest: Rest = {
    ...{ name, prefix, last4, permissions, ipAllowlist, plan, rateLimit },
    ...{ labels, createdAt, updatedAt, rotatedFrom },
  };
  return {
    id: record.id,
    digest: record.digest,
    request_key: record.requestKey,
    version: record.version,
    scheme: record.scheme,
    environment: record.environment,
    owner: record.owner,
    name_folded: name.toLowerCase(),
    expires_at: record.expiresAt,
    disabled_at: record.disabledAt,
    revoked_at: record.revokedAt,
    purge_at: purgeAt(record, retentionMs),
    record: JSON.stringify(rest),
  };
}

/** Throws `BadRecord` when the row is not a key. */
export function fromRow(row: Row): KeyRecord {
  const rest = parseRest(row);
  return checkedRecord({
    id: row.id,
    digest: row.digest,
    name: rest.name,
    scheme: row.scheme,
    environment: row.environment,
    prefix: rest.prefix,
    last4: rest.last4,
    owner: row.owner,
    permissions: rest.permissions,
    ipAllowlist: rest.ipAllowlist,
    plan: rest.plan,
    rateLimit: rest.rateLimit,
    labels: rest.labels,
    createdAt: rest.createdAt,
    updatedAt: rest.updatedAt,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    disabledAt: row.disabled_at,
    revokedAt: row.revoked_at,
    rotatedFrom: rest.rotatedFrom,
    requestKey: row.request_key,
    version: row.version,
  });
}

function parseRest(row: Row): Readonly<Record<keyof Rest, unknown>> {
  try {
    const rest: unknown = JSON.parse(String(row.record));
    if (typeof rest === 'object' && rest !== null) return rest as Record<keyof Rest, unknown>;
  } catch {
    // The parser's message quotes the text.
  }
  throw new BadRecord(String(row.id), 'record');
}

const stateConditions: Readonly<Record<KeyState, string>> = {
  revoked: 'revoked_at IS NOT NULL',
  disabled: 'revoked_at IS NULL AND disabled_at IS NOT NULL',
  expired: 'revoked_at IS NULL AND disabled_at IS NULL AND expires_at <= :now',
  active: 'revoked_at IS NULL AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > :now)',
};

/** One page of keys as a statement and its values. The text depends on which filters are given alone. */
export function listQuery(
  filter: KeyFilter,
  page: { readonly before: KeyId | null; readonly size: number },
): { readonly sql: string; readonly parameters: Parameters } {
  const conditions: string[] = [];
  const parameters: Parameters = { size: page.size };
  const where = (condition: string, values: Parameters) => {
    conditions.push(condition);
    Object.assign(parameters, values);
  };
  if (page.before !== null) where('id < :before', { before: page.before });
  if (filter.owner !== undefined) where('owner = :owner', { owner: filter.owner });
  if (filter.scheme !== undefined) where('scheme = :scheme', { scheme: filter.scheme });
  if (filter.environment !== undefined) {
    where('environment = :environment', { environment: filter.environment });
  }
  if (filter.state !== undefined) {
    const condition = stateConditions[filter.state];
    where(condition, condition.includes(':now') ? { now: filter.now } : {});
  }
  if (filter.permission !== undefined) {
    // json_each stops the whole statement at a row that is no JSON; CASE keeps it from looking there.
    const held = "EXISTS (SELECT 1 FROM json_each(record, '$.permissions') WHERE value = :permission)";
    where(`CASE WHEN json_valid(record) THEN ${held} ELSE 0 END`, { permission: filter.permission });
  }
  if (filter.nameContains !== undefined) {
    where('instr(name_folded, :name) > 0', { name: filter.nameContains.toLowerCase() });
  }
  const condition = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return { sql: `SELECT ${recordColumns} FROM keys ${condition} ORDER BY id DESC LIMIT :size`, parameters };
}
