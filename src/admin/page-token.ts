import { hash } from 'node:crypto';
import { invalidArgument } from '../failure.ts';
import type { JournalFilter, JournalPage } from '../journal/journal-store.ts';
import { isKeyId } from '../keys/key.ts';
import type { KeyPlace, ListOrder } from '../keys/key-order.ts';
import type { KeySearch } from '../keys/key-search.ts';
import type { KeyFilter } from '../store/records/key-filter.ts';

/** A query's filters without the time by which it is judged: what a page token is bound to. */
export type QueryFilter = Omit<KeyFilter, 'now'>;

/** A query of the journal, but for where its page begins. */
export type JournalQuery = JournalFilter & Pick<JournalPage, 'order'> & { readonly history?: boolean };

/** The filters that a query asks for, absent ones left out. */
export function pageFilter(asked: {
  readonly owner?: string | null;
  readonly scheme?: string | null | undefined;
  readonly environment?: string | null | undefined;
  readonly state?: KeyFilter['state'] | null | undefined;
  readonly permission?: string | null | undefined;
  readonly name_contains?: string | null | undefined;
  readonly search?: KeySearch | undefined;
  readonly external_id?: string | null | undefined;
  readonly role?: string | null | undefined;
  readonly unused_since?: number | null | undefined;
  readonly expires_before?: number | null | undefined;
}): QueryFilter {
  const { owner, scheme, environment, state, permission, name_contains: nameContains, search } = asked;
  return {
    ...(owner != null && { owner }),
    ...(scheme != null && { scheme }),
    ...(environment != null && { environment }),
    ...(state != null && { state }),
    ...(permission != null && { permission }),
    ...(nameContains != null && { nameContains }),
    ...(search !== undefined && { search }),
    ...(asked.external_id != null && { externalId: asked.external_id }),
    ...(asked.role != null && { role: asked.role }),
    ...(asked.unused_since != null && { unusedSince: asked.unused_since }),
    ...(asked.expires_before != null && { expiresBefore: asked.expires_before }),
  };
}

/** Opaque to callers: where the last key stands that was shown, and the query it belongs to. */
export function writePageToken({ value, id }: KeyPlace, filter: QueryFilter, order: ListOrder): string {
  // The id is all that the default order asks for.
  const place = isDefault(order) ? id : `${id}${JSON.stringify(value)}`;
  return Buffer.from(`${queryMark(filter, order)}${place}`).toString('base64url');
}

/** Throws INVALID_ARGUMENT when this is no token, or one of another query. */
export function readPageToken(token: string, filter: QueryFilter, order: ListOrder): KeyPlace {
  const text = Buffer.from(token, 'base64url').toString();
  const mark = queryMark(filter, order);
  const id = text.slice(mark.length, mark.length + idLength);
  if (!isKeyId(id)) throw refused('is not one that this service gave');
  if (!text.startsWith(mark)) throw refused('belongs to a query with other filters, or in another order');
  const rest = text.slice(mark.length + idLength);
  if (!isDefault(order)) return { id, value: readValue(rest) };
  if (rest !== '') throw refused('is not one that this service gave');
  return { id, value: id };
}

const idLength = 30;

function isDefault({ by, isDescending }: ListOrder): boolean {
  return by === 'created_at' && isDescending;
}

function readValue(text: string): KeyPlace['value'] {
  try {
    const value: unknown = JSON.parse(text);
    if (value === null || typeof value === 'string' || Number.isSafeInteger(value))
      return value as KeyPlace['value'];
  } catch {
    // Told below.
  }
  throw refused('is not one that this service gave');
}

/** Lists whose page token is the name that was shown last, by what begins their tokens. */
const namedLists = { owners: 'o:', roles: 'r:' } as const;

/** Opaque to callers: the last owner or role shown. */
export function writeNameToken(list: keyof typeof namedLists, last: string): string {
  return Buffer.from(`${namedLists[list]}${last}`).toString('base64url');
}

/** Throws INVALID_ARGUMENT when this is no token of that list. */
export function readNameToken(list: keyof typeof namedLists, token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  const mark = namedLists[list];
  if (!text.startsWith(mark)) throw refused(`is not one that this service gave for a list of ${list}`);
  return text.slice(mark.length);
}

/** Opaque to callers: the last entry of the journal that was shown, and the query it belongs to. */
export function writeAuditToken(last: number, query: JournalQuery): string {
  return Buffer.from(`${auditMark(query)}a${last}`).toString('base64url');
}

/** Throws INVALID_ARGUMENT when this is no token of a list of audit events, or one of another query. */
export function readAuditToken(token: string, query: JournalQuery): number {
  const text = Buffer.from(token, 'base64url').toString('latin1');
  const mark = auditMark(query);
  const last = /^a([1-9][0-9]{0,15})$/.exec(text.slice(mark.length));
  if (last === null) throw refused('is not one that this service gave for a list of audit events');
  if (!text.startsWith(mark)) throw refused('belongs to a query with other filters');
  return Number(last[1]);
}

function queryMark(filter: QueryFilter, order: ListOrder): string {
  const { owner, scheme, environment, state, permission, nameContains, search } = filter;
  const asked = [owner, scheme, environment, state, permission, nameContains];
  const { externalId, role, unusedSince, expiresBefore } = filter;
  const further = [externalId, role, unusedSince, expiresBefore];
  const searched = search === undefined ? asked : [...asked, search.text];
  // Tokens of before there was more to ask for go on.
  if (isDefault(order) && further.every((value) => value === undefined)) return markOf(searched);
  return markOf([...searched, search === undefined ? 'all' : 'search', ...further, order]);
}

function auditMark(query: JournalQuery): string {
  const { kind, owner, actor, action, target, outcome, since, until, order, history } = query;
  const asked = [kind, owner, actor, action, target, outcome, since, until, order];
  return markOf(history ? [...asked, 'history'] : asked);
}

function markOf(parts: readonly unknown[]): string {
  const text = JSON.stringify(parts.map((part) => part ?? null));
  return hash('sha256', text, 'base64url').slice(0, 16);
}

function refused(description: string) {
  return invalidArgument([{ field: 'page_token', description }]);
}
