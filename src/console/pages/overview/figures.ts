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

export function requestsIn(row: UsageRow): number {
  return row.allowed + deniedIn(row);
}

/** What was asked in a span and in the time before it. */
export async function figuresOf(api: Api, span: Span, seesOwners: boolean): Promise<Figures> {
  const earlier = before(span);
  const [bars, earlierBars, owners, keys] = await Promise.all([
    rowsOf(api, { group_by: 'none', interval: span.bar, order_by: 'start', ...times(span) }, rowsMax),
    rowsOf(api, { group_by: 'none', interval: span.bar, order_by: 'start', ...times(earlier) }, rowsMax),
    seesOwners ? compared(api, 'owner', span) : null,
    compared(api, 'key', span),
  ]);
  const changed = owners
    ?.filter(({ group }) => group !== null)
    .toSorted((one, other) => Math.abs(other.now - other.before) - Math.abs(one.now - one.before));
  const top = keys.filter(({ now }) => now > 0).toSorted((one, other) => other.now - one.now);
  return {
    bars: bars.toReversed(),
    earlierBars: earlierBars.toReversed(),
    owners: changed?.slice(0, groupsShown) ?? null,
    keys: await Promise.all(
      top.slice(0, groupsShown).map(async (row) => ({ ...row, key: await keyNamed(api, row.group) })),
    ),
  };
}

/** Of those with the most requests in either time. */
async function compared(api: Api, group_by: 'owner' | 'key', span: Span): Promise<readonly Compared[]> {
  const asked = { group_by, interval: 'all' };
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
async function keyNamed(api: Api, id: string | null): Promise<Key | null> {
  return id === null ? null : api.key(id).catch(() => null);
}
