import type { Filter } from 'mongodb';
import { firstIdAt, type KeyId, type KeyState } from '../../../keys/key.ts';
import type { KeySearch } from '../../../keys/key-search.ts';
import { labelSearch } from '../../../keys/label-text.ts';
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

export function inName(text: string): Filter<KeyDocument> {
  return { name_folded: { $regex: forms(text) } };
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
      const last4 = { $in: inEachCase(search.text) };
      const labels = labelFilters(search.text);
      return { $or: [{ prefix: { $regex: `^${text}` } }, { last4 }, inName(search.text), ...labels] };
    }
  }
}

const last4Length = 4;

/** What a key may end in, with each letter either way: at most sixteen, each of which an index finds. */
export function inEachCase(text: string): string[] {
  if (text.length > last4Length) return [];
  const cases = (character: string) => [...new Set([character.toLowerCase(), character.toUpperCase()])];
  return [...text].reduce<string[]>(
    (begun, character) => begun.flatMap((part) => cases(character).map((next) => part + next)),
    [''],
  );
}

/** A label is a pair of its name and its value. */
export function labelFilters(text: string): Filter<KeyDocument>[] {
  const { value, named } = labelSearch(text);
  const begins = (part: string) => ({ $regex: `^(?:${forms(part)})`, $options: 'i' });
  const is = (part: string) => ({ $regex: `^(?:${forms(part)})$`, $options: 'i' });
  const pairs = [
    { 1: begins(value) },
    ...(named === null ? [] : [{ 0: is(named.name), 1: begins(named.value) }]),
  ];
  return pairs.map((pair) => ({ labels: { $elemMatch: pair } }) as Filter<KeyDocument>);
}

function forms(text: string): string {
  return foldedForms(text).map(literally).join('|');
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
export function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|#-]/g, '\\$&').replaceAll('\0', '\\x00');
}
