import { type KeyRecord, purgeAt } from '../../../keys/key.ts';
import { foldLabels } from '../../../keys/label-text.ts';
import type { RateLimit } from '../../../keys/limit.ts';
import { fallbackOfLimits, storedLimits } from '../../../keys/limit.ts';
import { foldText } from '../../../keys/name-text.ts';
import { checkedRecord } from '../../../store/records/checked-record.ts';
import { BadRecord } from '../../../store/store.ts';
import type { Parameters, Row } from '../../statements.ts';

/**
 * The latest use is in the row of the hour that the key's own row names, or in that row itself, or waits to be written
 * there.
 */
export const lastUsedAt = `max(keys.last_used_at, coalesce((SELECT last_used_at FROM usage_hours
    WHERE hour = keys.last_used_at - keys.last_used_at % 3600000 AND key = keys.id), 0), pending_last_use(keys.id))`;

const columnsWith = (
  lastUse: string,
) => `id, digest, request_key, version, scheme, environment, owner, ${lastUse},
  expires_at, disabled_at, revoked_at, rate_limits, record`;

/** The columns that a record is read from. */
export const recordColumns = columnsWith(`${lastUsedAt} AS last_used_at`);

/** The same with a use up to an hour older, which spares the reader of a key one of three lookups. */
export const checkedColumns = columnsWith('last_used_at');

/**
 * Those columns from a list of their values. `node:sqlite` makes a row that is an object a dictionary, of which it takes
 * longer to read than to make a row from a list.
 */
export function rowOfValues(values: Readonly<Record<number, unknown>>): Row {
  return {
    ...{ id: values[0], digest: values[1], request_key: values[2], version: values[3], scheme: values[4] },
    ...{ environment: values[5], owner: values[6], last_used_at: values[7], expires_at: values[8] },
    ...{ disabled_at: values[9], revoked_at: values[10], rate_limits: values[11], record: values[12] },
  };
}

/** Members without a column of their own, in the JSON of `record`. */
interface Rest
  extends Pick<
    KeyRecord,
    | 'name'
    | 'prefix'
    | 'last4'
    | 'permissions'
    | 'roles'
    | 'ipAllowlist'
    | 'principals'
    | 'plan'
    | 'labels'
    | 'createdAt'
    | 'updatedAt'
    | 'rotatedFrom'
    | 'rotatedTo'
    | 'spender'
    | 'externalId'
    | 'createdBy'
    | 'importId'
    | 'revivedAt'
  > {
  /** For releases that know one window alone. */
  readonly rateLimit: RateLimit | null;
}

/** A record as the columns of its row, all but `last_used_at`, which only an insert writes. */
export function toRow(record: KeyRecord, retentionMs: number): Parameters {
  const { name, prefix, last4, permissions, roles, ipAllowlist, principals, plan } = record;
  const { rateLimits, externalId, labels, createdAt, updatedAt, rotatedFrom, rotatedTo } = record;
  const { spender, createdBy, importId, revivedAt } = record;
  const rest: Rest = {
    ...{ name, prefix, last4, permissions, roles, ipAllowlist, principals, plan, externalId },
    rateLimit: fallbackOfLimits(rateLimits),
    ...{ labels, createdAt, updatedAt, rotatedFrom, rotatedTo, spender, createdBy, importId, revivedAt },
  };
  return {
    id: record.id,
    digest: record.digest,
    request_key: record.requestKey,
    version: record.version,
    scheme: record.scheme,
    environment: record.environment,
    owner: record.owner,
    name_folded: foldText(name),
    labels_folded: foldLabels(labels),
    expires_at: record.expiresAt,
    disabled_at: record.disabledAt,
    revoked_at: record.revokedAt,
    purge_at: purgeAt(record, retentionMs),
    rate_limits: rateLimits.length === 0 ? null : JSON.stringify(rateLimits),
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
    roles: rest.roles ?? [],
    ipAllowlist: rest.ipAllowlist,
    principals: rest.principals ?? [],
    plan: rest.plan,
    rateLimits: storedLimits(parseList(row), rest.rateLimit),
    labels: rest.labels,
    createdAt: rest.createdAt,
    updatedAt: rest.updatedAt,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    disabledAt: row.disabled_at,
    revokedAt: row.revoked_at,
    rotatedFrom: rest.rotatedFrom,
    // Absent from rows that were written before keys could be rotated.
    rotatedTo: rest.rotatedTo ?? null,
    spender: rest.spender ?? row.id,
    // Absent from rows of before they were kept.
    externalId: rest.externalId ?? null,
    createdBy: rest.createdBy ?? null,
    importId: rest.importId ?? null,
    revivedAt: rest.revivedAt ?? null,
    requestKey: row.request_key,
    version: row.version,
  });
}

/** Null where there is none, as in rows of before there were lists. */
function parseList({ id, rate_limits: list }: Row): unknown {
  if (list === null) return null;
  try {
    return JSON.parse(String(list));
  } catch {
    throw new BadRecord(String(id), 'rateLimits');
  }
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
