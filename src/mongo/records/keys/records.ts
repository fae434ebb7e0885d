import { type KeyRecord, purgeAt } from '../../../keys/key.ts';
import { fallbackOfLimits, storedLimits } from '../../../keys/limit.ts';
import { foldText } from '../../../keys/name-text.ts';
import { checkedRecord } from '../../../store/records/checked-record.ts';
import type { OwnedExternalId } from '../../../store/records/key-filter.ts';

/** A key in the collection `keys`. Every member is always there; what is absent is null. */
export interface KeyDocument {
  _id: string;
  digest: string;
  name: string;
  /** The name in `toLowerCase`, for searching. */
  name_folded: string;
  scheme: string;
  environment: string;
  prefix: string;
  last4: string;
  owner: string | null;
  permissions: readonly string[];
  /** Absent from documents of before there were roles. */
  roles?: readonly string[];
  ip_allowlist: readonly string[];
  /** Absent from documents of before there were any. */
  principals?: readonly string[];
  plan: string | null;
  /** For releases that know one window alone. */
  rate_limit: { limit: number; window_ms: number } | null;
  /** Absent from documents of before there were lists. */
  rate_limits?: readonly { name: string; limit: number; per: number | string; shared_by: string }[] | null;
  /** Pairs, since a name with a dot or a `$` would mean something as a field. */
  labels: readonly (readonly [name: string, value: string])[];
  /** Folded for searching: see {@link foldedLabels}. Absent from documents of before they were. */
  labels_folded?: readonly string[];
  created_at: Date;
  updated_at: Date;
  last_used_at: Date | null;
  expires_at: Date | null;
  disabled_at: Date | null;
  revoked_at: Date | null;
  rotated_from: string | null;
  /** Absent from documents that were written before keys could be rotated. */
  rotated_to?: string | null;
  spender?: string;
  /** Absent from documents of before they were kept. */
  external_id?: string | null;
  created_by?: string | null;
  import_id?: string | null;
  revived_at?: Date | null;
  /** Under a unique index where it is text. */
  request_key: string | null;
  version: number;
  /** Under a unique index: the owner and the external id of a key that is not revoked. */
  held_external_id?: string | null;
  /** A TTL index removes the document at this time. */
  purge_at: Date | null;
  /** On the store's first key alone, under a unique index. */
  first?: true;
}

/** Throws RangeError for a time that no Date can hold. */
export function toDocument(record: KeyRecord, retentionMs: number): KeyDocument {
  const fallback = fallbackOfLimits(record.rateLimits);
  return {
    _id: record.id,
    digest: record.digest,
    name: record.name,
    name_folded: foldText(record.name),
    scheme: record.scheme,
    environment: record.environment,
    prefix: record.prefix,
    last4: record.last4,
    owner: record.owner,
    permissions: record.permissions,
    roles: record.roles,
    ip_allowlist: record.ipAllowlist,
    principals: record.principals,
    plan: record.plan,
    rate_limit: fallback && { limit: fallback.limit, window_ms: fallback.windowMs },
    rate_limits:
      record.rateLimits.length === 0
        ? null
        : record.rateLimits.map(({ sharedBy, ...limit }) => ({ ...limit, shared_by: sharedBy })),
    labels: Object.entries(record.labels),
    labels_folded: foldedLabels(record.labels),
    created_at: date(record.createdAt),
    updated_at: date(record.updatedAt),
    last_used_at: dateOrNull(record.lastUsedAt),
    expires_at: dateOrNull(record.expiresAt),
    disabled_at: dateOrNull(record.disabledAt),
    revoked_at: dateOrNull(record.revokedAt),
    ...{ rotated_from: record.rotatedFrom, rotated_to: record.rotatedTo, spender: record.spender },
    external_id: record.externalId,
    created_by: record.createdBy,
    import_id: record.importId,
    revived_at: dateOrNull(record.revivedAt),
    request_key: record.requestKey,
    version: record.version,
    held_external_id: heldExternalId(record),
    purge_at: dateOrNull(purgeAt(record, retentionMs)),
  };
}

/** Each value, and each with its name before it; an empty text for no label, since nothing would be as a missing member. */
function foldedLabels(labels: KeyRecord['labels']): readonly string[] {
  const folded = Object.entries(labels).flatMap(([name, value]) => [
    foldText(value),
    `${foldText(name)}=${foldText(value)}`,
  ]);
  return folded.length === 0 ? [''] : folded;
}

function heldExternalId({ owner, externalId, revokedAt }: KeyRecord): string | null {
  return externalId === null || revokedAt !== null ? null : ownedText({ owner, externalId });
}

/** By which no two keys of one owner have the same external id. */
export function ownedText({ owner, externalId }: OwnedExternalId): string {
  return JSON.stringify([owner, externalId]);
}

/** A document as it was found, whoever has written it. */
type FoundKey = { readonly [member in keyof KeyDocument]?: unknown };

/** Throws `BadRecord` when the document is not a key. */
export function fromDocument(document: FoundKey): KeyRecord {
  return checkedRecord({
    id: document._id,
    digest: document.digest,
    name: document.name,
    scheme: document.scheme,
    environment: document.environment,
    prefix: document.prefix,
    last4: document.last4,
    owner: document.owner,
    permissions: document.permissions,
    roles: document.roles ?? [],
    ipAllowlist: document.ip_allowlist,
    principals: document.principals ?? [],
    plan: document.plan,
    rateLimits: storedLimits(limitList(document.rate_limits), rateLimit(document.rate_limit)),
    labels: labels(document.labels),
    createdAt: time(document.created_at),
    updatedAt: time(document.updated_at),
    lastUsedAt: time(document.last_used_at),
    expiresAt: time(document.expires_at),
    disabledAt: time(document.disabled_at),
    revokedAt: time(document.revoked_at),
    rotatedFrom: document.rotated_from,
    rotatedTo: document.rotated_to ?? null,
    spender: document.spender ?? document._id,
    externalId: document.external_id ?? null,
    createdBy: document.created_by ?? null,
    importId: document.import_id ?? null,
    revivedAt: time(document.revived_at ?? null),
    requestKey: document.request_key,
    version: document.version,
  });
}

/** The earliest time that a date can hold, Unix milliseconds. */
export const earliest = -8.64e15;

export function date(time: number): Date {
  const made = new Date(time);
  if (Number.isNaN(made.getTime())) throw new RangeError('a time lies outside what a date can hold');
  return made;
}

export function dateOrNull(time: number | null): Date | null {
  return time === null ? null : date(time);
}

export function time(value: unknown): unknown {
  return value instanceof Date ? value.getTime() : value === null ? null : undefined;
}

function limitList(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((item: unknown) => {
    if (typeof item !== 'object' || item === null) return item;
    const { name, limit, per, shared_by } = item as Record<string, unknown>;
    return { name, limit, per, sharedBy: shared_by };
  });
}

function rateLimit(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { limit, window_ms } = value as Record<string, unknown>;
  return { limit, windowMs: window_ms };
}

/** Own members whatever the name, `__proto__` too; not an object when the value is not a list of pairs. */
export function labels(value: unknown): unknown {
  const arePairs =
    Array.isArray(value) &&
    value.every((pair) => Array.isArray(pair) && pair.length === 2 && typeof pair[0] === 'string');
  return arePairs ? Object.fromEntries(value) : undefined;
}
