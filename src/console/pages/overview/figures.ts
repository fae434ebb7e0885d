import type { Api } from '../../api.ts';
import type { Key, Page } from '../../api-answers.ts';
import type { Ask, Recalled } from '../../recollection.ts';
import { Refusal } from '../../refusal.ts';
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

/** A key as it is named: null for one that is not there any more, or is not for who looks. */
export type Named = Key | null | 'unread';

export type KeyCompared = Compared & { readonly key: Named };

export interface Figures {
  /** By hour or by day, the oldest first. */
  readonly bars: readonly UsageRow[];
  readonly earlierBars: readonly UsageRow[];
  /** Those whose requests changed most first; null where no owners are seen. */
  readonly owners: Recalled<readonly Compared[]> | null;
  /** Those with the most requests first. */
  readonly keys: Recalled<readonly KeyCompared[]>;
}

/** The API counts keys no further. From there on what is added up over all of them is recalled. */
export const totalMax = 10_000;

export async function hasManyKeys(api: Api): Promise<boolean> {
  const { total_size = 0 } = await api.keys('state=active&page_size=1&include_total=true');
  return total_size > totalMax;
}

/** Asks each time. */
export function askNow(api: Api): Ask {
  return async (path) => ({ value: await api.call('GET', path), asOf: null });
}

export function deniedIn({ denied }: Pick<UsageRow, 'denied'>): number {
  return Object.values(denied).reduce((sum, count) => sum + count, 0);
}

export function requestsIn(row: Pick<UsageRow, 'allowed' | 'denied'>): number {
  return row.allowed + deniedIn(row);
}

/** What was asked in a span and in the time before it. `ask` is for what is added up over many keys. */
export async function figuresOf(api: Api, ask: Ask, span: Span, seesOwners: boolean): Promise<Figures> {
  const earlier = before(span);
  const [bars, earlierBars, owners, keys] = await Promise.all([
    barsOf(api, span, span.bar),
    barsOf(api, earlier, span.bar),
    seesOwners ? comparedOwners(api, ask, span) : null,
    topKeys(api, ask, span),
  ]);
  return { bars, earlierBars, owners, keys };
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
async function topKeys(api: Api, ask: Ask, span: Span): Promise<Figures['keys']> {
  const { value, asOf } = await ask<Page<UsageRow>>(groupsPath('key', span));
  if (value === null) return { value, asOf };
  const top = value.data
    .map((row) => ({ group: row.group, now: requestsIn(row) }))
    .filter(({ now }) => now > 0)
    .toSorted((one, other) => other.now - one.now);
  const { since, until } = before(span);
  const rows = top.slice(0, groupsShown).map(async (row) => {
    const [key, used] = await Promise.all([keyNamed(api, row.group), usedIn(api, row.group, since, until)]);
    return { ...row, before: used, key };
  });
  return { value: await Promise.all(rows), asOf };
}

/** Requests of one key; 0 for one that is not there any more. */
async function usedIn(api: Api, id: string | null, since: number, until: number): Promise<number> {
  if (id === null) return 0;
  const usage = await api.usage(id, new Date(since).toISOString()).catch(nullIfGone);
  if (usage === null || usage === 'unread') return 0;
  const inTime = usage.buckets.filter(({ start }) => Date.parse(start) < until);
  return inTime.reduce((sum, bucket) => sum + requestsIn(bucket), 0);
}

/** Owners whose requests changed most, among those with the most in either time. */
async function comparedOwners(api: Api, ask: Ask, span: Span): Promise<Figures['owners']> {
  const [now, earlier] = await Promise.all(
    [span, before(span)].map((each) => ask<Page<UsageRow>>(groupsPath('owner', each))),
  );
  const asOf = now?.asOf ?? earlier?.asOf ?? null;
  if (now?.value == null || earlier?.value == null) return { value: null, asOf };
  const [nowBy, beforeBy] = [countsBy(now.value), countsBy(earlier.value)];
  const groups = new Set([...nowBy.of.keys(), ...beforeBy.of.keys()]);
  // Whoever is in one list alone had no more than the last of the other.
  const likely = [...groups]
    .filter((group) => group !== null)
    .map((group) => ({
      ...{ group, now: nowBy.of.get(group) ?? nowBy.least },
      before: beforeBy.of.get(group) ?? beforeBy.least,
    }))
    .toSorted(byChange)
    .slice(0, 2 * groupsShown);
  const exact = likely.map(async (row) => ({
    group: row.group,
    now: nowBy.isWhole || nowBy.of.has(row.group) ? row.now : await ownerIn(api, row.group, span),
    before:
      beforeBy.isWhole || beforeBy.of.has(row.group)
        ? row.before
        : await ownerIn(api, row.group, before(span)),
  }));
  return { value: (await Promise.all(exact)).toSorted(byChange).slice(0, groupsShown), asOf };
}

function byChange(one: Compared, other: Compared): number {
  const change = ({ now, before }: Compared) => Math.abs(now - before);
  return change(other) - change(one) || other.now - one.now;
}

/** `least` is what no other group has more of. */
function countsBy({ data, next_page_token }: Page<UsageRow>) {
  const of = new Map(data.map((row) => [row.group, requestsIn(row)]));
  const isWhole = next_page_token === null;
  return { of, isWhole, least: isWhole ? 0 : Math.min(...of.values()) };
}

async function ownerIn(api: Api, owner: string, time: Pick<Span, 'since' | 'until'>): Promise<number> {
  const rows = await rowsOf(api, { group_by: 'none', interval: 'all', owner, ...times(time) }, 1);
  return rows.reduce((sum, row) => sum + requestsIn(row), 0);
}

function groupsPath(group: 'key' | 'owner', time: Pick<Span, 'since' | 'until'>): string {
  const asked = { group_by: group, interval: 'all', ...times(time), page_size: String(groupsRead) };
  return `usage?${new URLSearchParams(asked)}`;
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

/** One that cannot be read now is told apart from one that is gone. */
export async function keyNamed(api: Api, id: string | null): Promise<Named> {
  return id === null ? null : api.key(id).catch(nullIfGone);
}

function nullIfGone(error: unknown): null | 'unread' {
  if (!(error instanceof Refusal)) throw error;
  return error.status === 404 || error.status === 403 ? null : 'unread';
}
