import type { Api } from '../../api.ts';
import type { Key, Page } from '../../api-answers.ts';
import { before, type Span } from './spans.ts';

/** A row of `GET /admin/usage`. */
export interface UsageRow {
  readonly group: string | null;
  readonly start: string | null;
  readonly allowed: number;
  readonly denied: Readonly<Record<string, number>>;
}

/** The requests of some key, owner or everybody in a span, and in the time before it. */
export interface Compared {
  readonly group: string | null;
  readonly now: number;
  readonly before: number;
}

const rowsMax = 1_000;
const groupsRead = 200;
const groupsShown = 8;

export interface Figures {
  /** By hour or by day, the oldest first. */
  readonly bars: readonly UsageRow[];
  readonly earlierBars: readonly UsageRow[];
  /** Those whose requests changed most first; null where no owners are seen. */
  readonly owners: readonly Compared[] | null;
  /** Those with the most requests first. */
  readonly keys: readonly (Compared & { readonly key: Key | null })[];
}

export function deniedIn({ denied }: Pick<UsageRow, 'denied'>): number {
  return Object.values(denied).reduce((sum, count) => sum + count, 0);
}

export function requestsIn(row: Pick<UsageRow, 'allowed' | 'denied'>): number {
  return row.allowed + deniedIn(row);
}

/** What was asked in a span and in the time before it. */
export async function figuresOf(api: Api, span: Span, seesOwners: boolean): Promise<Figures> {
  const earlier = before(span);
  const [bars, earlierBars, owners, keys] = await Promise.all([
    barsOf(api, span, span.bar),
    barsOf(api, earlier, span.bar),
    seesOwners ? comparedOwners(api, span) : null,
    topKeys(api, span),
  ]);
  const changed = owners
    ?.filter(({ group }) => group !== null)
    .toSorted((one, other) => Math.abs(other.now - other.before) - Math.abs(one.now - one.before));
  return {
    bars,
    earlierBars,
    owners: changed?.slice(0, groupsShown) ?? null,
    keys,
  };
}

/** Requests by hour or by day, the oldest first; of one owner where it is given. */
export async function barsOf(
  api: Api,
  time: Pick<Span, 'since' | 'until'>,
  interval: Span['bar'],
  owner: string | null = null,
): Promise<readonly UsageRow[]> {
  const asked = { group_by: 'none', interval, order_by: 'start', ...times(time) };
  return (await rowsOf(api, owner === null ? asked : { ...asked, owner }, rowsMax)).toReversed();
}

/** Those with the most requests in the span, and what each of them had before: of the others nobody asks. */
async function topKeys(api: Api, span: Span): Promise<Figures['keys']> {
  const rows = await rowsOf(api, { group_by: 'key', interval: 'all', ...times(span) }, groupsRead);
  const top = rows
    .map((row) => ({ group: row.group, now: requestsIn(row) }))
    .filter(({ now }) => now > 0)
    .toSorted((one, other) => other.now - one.now);
  const { since, until } = before(span);
  return Promise.all(
    top.slice(0, groupsShown).map(async (row) => {
      const [key, used] = await Promise.all([keyNamed(api, row.group), usedIn(api, row.group, since, until)]);
      return { ...row, before: used, key };
    }),
  );
}

/** Requests of one key; 0 for one that is not there any more. */
async function usedIn(api: Api, id: string | null, since: number, until: number): Promise<number> {
  if (id === null) return 0;
  const usage = await api.usage(id, new Date(since).toISOString()).catch(() => null);
  const inTime = usage?.buckets.filter(({ start }) => Date.parse(start) < until) ?? [];
  return inTime.reduce((sum, bucket) => sum + requestsIn(bucket), 0);
}

/** Owners with the most requests in either time. */
async function comparedOwners(api: Api, span: Span): Promise<readonly Compared[]> {
  const asked = { group_by: 'owner', interval: 'all' };
  const [now, earlier] = await Promise.all(
    [span, before(span)].map((each) => rowsOf(api, { ...asked, ...times(each) }, groupsRead)),
  );
  const counts = (rows: readonly UsageRow[] = []) => new Map(rows.map((row) => [row.group, requestsIn(row)]));
  const [nowBy, beforeBy] = [counts(now), counts(earlier)];
  return [...new Set([...nowBy.keys(), ...beforeBy.keys()])].map((group) => ({
    ...{ group, now: nowBy.get(group) ?? 0, before: beforeBy.get(group) ?? 0 },
  }));
}

async function rowsOf(
  api: Api,
  query: Readonly<Record<string, string>>,
  size: number,
): Promise<readonly UsageRow[]> {
  const asked = new URLSearchParams({ ...query, page_size: String(size) });
  return (await api.call<Page<UsageRow>>('GET', `usage?${asked}`)).data;
}

function times({ since, until }: { readonly since: number; readonly until: number }) {
  const iso = (ms: number) => new Date(ms).toISOString();
  return { since: iso(since), until: iso(until) };
}

/** Null for one that is not there any more, or is not for who looks. */
export async function keyNamed(api: Api, id: string | null): Promise<Key | null> {
  return id === null ? null : api.key(id).catch(() => null);
}
