/**
 * Room `events/`: What watches the audit log. Here: its tail, delivery to log and webhook, notices of what an
 * operator wants to hear of, refused calls. Not here: the entries themselves (`journal/`).
 */

import { eventId, type JournalEntry, type NoticeAction } from '../journal/journal.ts';
import { formatTimeMs } from '../time/time.ts';

/** What watchers, the log and the webhook are told of; the names are the API's. */
export const eventTypes = [
  'key.created',
  'key.updated',
  'key.rotated',
  'key.disabled',
  'key.enabled',
  'key.revoked',
  'key.leaked',
  'keys.imported',
  'owner.put',
  'role.put',
  'role.deleted',
  'key.expiring',
  'key.unused',
  'key.new_address',
  'key.permission_denied',
  'key.unusual_volume',
  'address.many_failures',
  'limit.nearly_spent',
  'limit.exceeded',
] as const;
export type EventType = (typeof eventTypes)[number];

const typeOfCall: ReadonlyMap<string, EventType> = new Map([
  ['CreateKey', 'key.created'],
  ['UpdateKey', 'key.updated'],
  ['RotateKey', 'key.rotated'],
  ['DisableKey', 'key.disabled'],
  ['EnableKey', 'key.enabled'],
  ['RevokeKey', 'key.revoked'],
  ['RevokeKeys', 'key.revoked'],
  ['DisableKeys', 'key.disabled'],
  ['ReportLeakedKeys', 'key.leaked'],
  ['ImportKeys', 'keys.imported'],
  ['PutOwner', 'owner.put'],
  // One type for whatever an owner becomes: who watches for it misses nothing.
  ['UpdateOwner', 'owner.put'],
  ['PutRole', 'role.put'],
  ['DeleteRole', 'role.deleted'],
]);

const typeOfNotice: Readonly<Record<NoticeAction, EventType>> = {
  KeyExpiring: 'key.expiring',
  KeyUnused: 'key.unused',
  NewAddress: 'key.new_address',
  PermissionDenied: 'key.permission_denied',
  UnusualVolume: 'key.unusual_volume',
  ManyFailures: 'address.many_failures',
  LimitNearlySpent: 'limit.nearly_spent',
  LimitExceeded: 'limit.exceeded',
};

/** Something that happened, apart from how it is told. Nothing in it is a secret. */
export interface KeyEvent {
  /** That of its entry in the journal: ids sort as events do, and one goes on after an id. */
  readonly id: string;
  readonly type: EventType;
  /** Unix milliseconds. */
  readonly at: number;
  /** The key or the owner that it is about; null for none. */
  readonly target: string | null;
  /** Whose it is; null for the operator's own. */
  readonly owner: string | null;
  /** Who did it; null where nobody did. */
  readonly actor: string | null;
  /** `before` and `after` of a change; of a notice, what it is about. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What an entry of the journal tells; null for calls that were refused, and for what has no type. */
export function eventOf(entry: JournalEntry): KeyEvent | null {
  const type = typeOf(entry);
  if (type === null) return null;
  const { sequence, at, target, owner, actor } = entry;
  return { id: eventId(sequence), type, at, target, owner, actor, details: detailsOf(entry) };
}

/** An event as REST, the webhook and the command line show it; the time is RFC 3339 with milliseconds. */
export function eventJson({ id, type, at, target, owner, actor, details }: KeyEvent) {
  return { id, type, at: formatTimeMs(at), target, owner, actor, details };
}

function typeOf({ kind, action, outcome }: JournalEntry): EventType | null {
  if (outcome !== 'ok') return null;
  if (kind === 'call') return typeOfCall.get(action) ?? null;
  return Object.hasOwn(typeOfNotice, action) ? typeOfNotice[action as NoticeAction] : null;
}

function detailsOf({ kind, before, after }: JournalEntry): Readonly<Record<string, unknown>> {
  if (kind === 'call') return { before, after };
  return typeof after === 'object' && after !== null ? { ...after } : {};
}
