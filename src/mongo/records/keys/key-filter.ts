import type { Filter } from 'mongodb';
import { firstIdAt, type KeyId, type KeyState } from '../../../keys/key.ts';
import type { KeySearch } from '../../../keys/key-search.ts';
import { foldedForms } from '../../../keys/name-text.ts';
import type { KeyFilter } from '../../../store/records/key-filter.ts';
import { date, earliest, type KeyDocument } from './records.ts';

/** The keys that the filter keeps and that are older than `before`; every value is data, none an operator. */
export function listFilter(filter: KeyFilter, before: KeyId | null): Filter<KeyDocument> {
  const { owner, scheme, environment, state, permission, nameContains, search, now } = filter;
  const { externalId, role, unusedSince, expiresBefore } = filter;
  const both = [
    ...(search ? [searchFilter(search)] : []),
    ...(unusedSince !== undefined ? [unusedFilter(unusedSince)] : []),
    ...(expiresBefore !== undefined ? [endFilter(expiresBefore)] : []),
  ];
  return {
    // '~' sorts after every id; a document whose _id is no text is none of ours.
    _id: { $lt: before ?? 'key_~', ...(search?.kind === 'id' && { $eq: search.id }) },
    ...(owner !== undefined && { owner: { $eq: owner } }),
    ...(scheme !== undefined && { scheme: { $eq: scheme } }),
    ...(environment !== undefined && { environment: { $eq: environment } }),
    ...(permission !== undefined && { permissions: { $eq: permission } }),
    ...(nameContains !== undefined && inName(nameContains)),
    ...(externalId !== undefined && { external_id: { $eq: externalId } }),
    ...(role !== undefined && { roles: { $eq: role } }),
    ...(both.length > 0 && { $and: both }),
    ...(state !== undefined && stateFilters[state](new Date(now))),
  };
}

function unusedFilter(since: number): Filter<KeyDocument> {
  const isUnused = { last_used_at: null, _id: { $lt: firstIdAt(since) } };
  return { $or: [{ last_used_at: { $lt: date(since) } }, isUnused] };
}

function endFilter(before: number): Filter<KeyDocument> {
  return { expires_at: { $lt: date(before), $gte: date(earliest) } };
}

function inName(text: string): Filter<KeyDocument> {
  return { name_folded: { $regex: foldedForms(text).map(literally).join('|') } };
}

function searchFilter(search: KeySearch): Filter<KeyDocument> {
  switch (search.kind) {
    case 'id':
      return {};
    case 'shown': {
      const { prefixes, last4 } = search;
      return { prefix: { $in: [...prefixes] }, ...(last4 !== null && { last4: { $eq: last4 } }) };
    }
    case 'text': {
      const text = literally(search.text);
      const last4 = { $regex: `^${text}$`, $options: 'i' };
      return { $or: [{ prefix: { $regex: `^${text}` } }, { last4 }, inName(search.text)] };
    }
  }
}

const stateFilters: Readonly<Record<KeyState, (now: Date) => Filter<KeyDocument>>> = {
  revoked: () => ({ revoked_at: { $ne: null } }),
  disabled: () => ({ revoked_at: null, disabled_at: { $ne: null } }),
  expired: (now) => ({ revoked_at: null, disabled_at: null, expires_at: { $lte: now } }),
  active: (now) => ({
    revoked_at: null,
    disabled_at: null,
    $or: [{ expires_at: null }, { expires_at: { $gt: now } }],
  }),
};

/** The text as a regular expression of PCRE that matches it alone; a pattern cannot hold a NUL itself. */
function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|#-]/g, '\\$&').replaceAll('\0', '\\x00');
}
