import { firstIdAt, type KeyId, type KeyState } from '../../../keys/key.ts';
import { foldedForms } from '../../../keys/name-text.ts';
import type { KeyFilter } from '../../../store/records/key-filter.ts';
import type { Parameters, Query } from '../../statements.ts';
import { inName, numbered, searchCondition, searchParameters } from './key-search.ts';
import { lastUsedAt, recordColumns } from './records.ts';

/** Keys from one id on and before another; null for no bound. */
export interface KeyRange {
  readonly from: KeyId | null;
  readonly before: KeyId | null;
}

/** The index that leads through the keys in the order of their ids, and what it leaves out by itself. */
interface Lead {
  readonly from: string;
  readonly id: string;
  readonly condition: string | null;
}

/** In the words of the indexes: SQLite does not see that one would do otherwise. */
const stateConditions: Readonly<Record<KeyState, string>> = {
  revoked: 'revoked_at IS NOT NULL',
  disabled: 'revoked_at IS NULL AND disabled_at IS NOT NULL',
  expired: 'revoked_at IS NULL AND disabled_at IS NULL AND expires_at <= :now',
  active: 'revoked_at IS NULL AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > :now)',
};

/** What is in the index of a state; that of `expired` has all that will expire. */
const stateLeads: Readonly<Record<KeyState, { readonly index: string; readonly condition: string } | null>> =
  {
    revoked: { index: 'keys_revoked', condition: stateConditions.revoked },
    disabled: { index: 'keys_disabled', condition: stateConditions.disabled },
    expired: {
      index: 'keys_ending',
      condition: 'revoked_at IS NULL AND disabled_at IS NULL AND expires_at IS NOT NULL',
    },
    active: null,
  };

const isNamed = 'permission = :permission';
const isOfRole = 'role = :role';
const hasRole = 'EXISTS (SELECT 1 FROM key_roles WHERE role = :role AND key = keys.id)';
const isUnused = `(${lastUsedAt} < :unused_since OR (keys.last_used_at IS NULL AND keys.id < :unused_id))`;
const isHeld = 'EXISTS (SELECT 1 FROM permissions WHERE permission = :permission AND key = keys.id)';

/** Where keys are found by an index, and what it leaves out by itself. */
export type KeyLead = Pick<Lead, 'from' | 'condition'>;

/** The indexes that the filter's keys are found in, each in one of them; null where there is none but that of all keys. */
export function leadsOf(filter: KeyFilter): readonly KeyLead[] | null {
  const lead = leadOf(filter);
  if (filter.search?.kind === 'id') return [{ from: 'keys', condition: 'keys.id = :search' }];
  if (filter.search?.kind === 'shown') {
    const condition = searchCondition(filter.search);
    return [{ from: lead.from, condition }];
  }
  if (lead.condition !== null) return [lead];
  if (filter.unusedSince !== undefined) {
    const from = 'keys INDEXED BY keys_by_last_use';
    return [
      { from, condition: 'keys.last_used_at < :unused_since' },
      { from, condition: 'keys.last_used_at IS NULL AND keys.id < :unused_id' },
    ];
  }
  if (filter.expiresBefore === undefined) return null;
  return [{ from: 'keys INDEXED BY keys_by_expiry', condition: 'keys.expires_at < :expires_before' }];
}

/** What the filter keeps, whatever index leads to it. */
export function conditionsOf(filter: KeyFilter) {
  const conditions = filterConditions(filter, nowhere);
  return { conditions, parameters: parametersOf(filter, { from: null, before: null }) };
}

const nowhere: Lead = { from: 'keys', id: 'id', condition: null };

/** At most `size` keys of the range that the filter keeps, newest first: read from an index, never sorted. */
export function keyPage(filter: KeyFilter, range: KeyRange, size: number): Query {
  const lead = leadOf(filter);
  const conditions = [...rangeConditions(lead, range), ...filterConditions(filter, lead)];
  return query(
    `SELECT ${recordColumns} FROM ${lead.from}`,
    conditions,
    `ORDER BY ${lead.id} DESC LIMIT :size`,
    { ...parametersOf(filter, range), size },
  );
}

/** The ids of at most `max` keys of the range that the filter keeps, in no order, and a value of each. */
export function keyValues(filter: KeyFilter, range: KeyRange, value: string, max: number): Query {
  const lead = leadOf(filter);
  const conditions = [...rangeConditions(lead, range), ...filterConditions(filter, lead)];
  return query(`SELECT keys.id AS id, ${value} AS value FROM ${lead.from}`, conditions, 'LIMIT :max', {
    ...parametersOf(filter, range),
    max,
  });
}

/** How many keys of the range the filter keeps, up to `max`. */
export function keyCount(filter: KeyFilter, range: KeyRange, max: number): Query {
  const lead = leadOf(filter);
  const conditions = [...rangeConditions(lead, range), ...filterConditions(filter, lead)];
  return query(`SELECT count(*) AS count FROM (SELECT 1 FROM ${lead.from}`, conditions, 'LIMIT :max)', {
    ...parametersOf(filter, range),
    max,
  });
}

/**
 * The id of the key that is number `size` in the range, as the filter's index has them; none where there are fewer.
 * Null where an index alone answers the filter, or all but: there is nothing to look through.
 */
export function keySlice(filter: KeyFilter, before: KeyId | null, size: number): Query | null {
  const { search } = filter;
  if (search !== undefined && search.kind !== 'text') return null;
  const lead = leadOf(filter);
  const range = { from: null, before };
  if (filterConditions(filter, lead).every((condition) => condition === lead.condition)) return null;
  const conditions = [...rangeConditions(lead, range), ...(lead.condition === null ? [] : [lead.condition])];
  const given = parametersOf(filter, range);
  const used = Object.entries(given).filter(([name]) => conditions.join().includes(`:${name}`));
  return query(
    `SELECT ${lead.id} AS id FROM ${lead.from}`,
    conditions,
    `ORDER BY ${lead.id} DESC LIMIT 1 OFFSET :size`,
    { ...Object.fromEntries(used), size: size - 1 },
  );
}

/** The filter that leaves the fewest keys leads. */
function leadOf(filter: KeyFilter): Lead {
  const index = (name: string, condition: string): Lead => ({
    from: `keys INDEXED BY ${name}`,
    id: 'id',
    condition,
  });
  if (filter.search?.kind === 'id') return { from: 'keys', id: 'id', condition: null };
  // The few that are found are sorted.
  if (filter.search?.kind === 'shown')
    return { from: 'keys INDEXED BY keys_by_prefix', id: 'id', condition: null };
  if (filter.externalId !== undefined) return index('keys_with_external_id', 'external_id = :external_id');
  if (filter.owner !== undefined) return index('keys_by_owner', 'owner = :owner');
  const stateLead = filter.state === undefined ? null : stateLeads[filter.state];
  if (stateLead !== null) return index(stateLead.index, stateLead.condition);
  if (filter.role !== undefined) {
    const from = 'key_roles CROSS JOIN keys ON keys.id = key_roles.key';
    return { from, id: 'key_roles.key', condition: isOfRole };
  }
  if (filter.permission !== undefined) {
    const from = 'permissions CROSS JOIN keys ON keys.id = permissions.key';
    return { from, id: 'permissions.key', condition: isNamed };
  }
  if (filter.scheme !== undefined) return index('keys_by_scheme', 'scheme = :scheme');
  if (filter.environment !== undefined) return index('keys_by_environment', 'environment = :environment');
  return { from: 'keys', id: 'id', condition: null };
}

function rangeConditions(lead: Lead, { from, before }: KeyRange): string[] {
  return [
    ...(before === null ? [] : [`${lead.id} < :before`]),
    ...(from === null ? [] : [`${lead.id} >= :from`]),
  ];
}

function filterConditions(filter: KeyFilter, lead: Lead): string[] {
  const conditions: string[] = [];
  for (const column of ['owner', 'scheme', 'environment'] as const) {
    if (filter[column] !== undefined) conditions.push(`${column} = :${column}`);
  }
  if (filter.state !== undefined) conditions.push(stateConditions[filter.state]);
  if (filter.permission !== undefined) {
    conditions.push(lead.condition === isNamed ? isNamed : isHeld);
  }
  if (filter.externalId !== undefined) conditions.push('external_id = :external_id');
  if (filter.role !== undefined) conditions.push(lead.condition === isOfRole ? isOfRole : hasRole);
  if (filter.unusedSince !== undefined) conditions.push(isUnused);
  if (filter.expiresBefore !== undefined) conditions.push('keys.expires_at < :expires_before');
  if (filter.nameContains !== undefined) conditions.push(inName('name', filter.nameContains));
  if (filter.search !== undefined) conditions.push(searchCondition(filter.search));
  return conditions;
}

function parametersOf(filter: KeyFilter, { from, before }: KeyRange): Parameters {
  const { owner, scheme, environment, permission, nameContains, search, state, now } = filter;
  const { externalId, role, unusedSince, expiresBefore } = filter;
  const given = {
    ...{ owner, scheme, environment, permission, role, external_id: externalId },
    ...{ unused_since: unusedSince, expires_before: expiresBefore },
    unused_id: unusedSince === undefined ? undefined : firstIdAt(unusedSince),
    ...(nameContains !== undefined && numbered('name', foldedForms(nameContains))),
    ...(search !== undefined && searchParameters(search)),
    now: state === 'active' || state === 'expired' ? now : undefined,
    from: from ?? undefined,
    before: before ?? undefined,
  };
  const parameters: Parameters = {};
  for (const [name, value] of Object.entries(given)) if (value !== undefined) parameters[name] = value;
  return parameters;
}

export function query(
  select: string,
  conditions: readonly string[],
  end: string,
  parameters: Parameters,
): Query {
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
  return { sql: `${select} ${where} ${end}`, parameters };
}
