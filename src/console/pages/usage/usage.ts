import type { Page as Answer, Key } from '../../api-answers.ts';
import { faultSummary, selectField, textField } from '../../markup/controls.ts';
import { html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import { apiQuery, filtersIn, pagerMarkup, placeIn } from '../../markup/pager.ts';
import { emptyState, grouped } from '../../markup/parts.ts';
import { reasonText } from '../../markup/reason.ts';
import { type Column, tableMarkup } from '../../markup/table.ts';
import type { Ask } from '../../recollection.ts';
import { type Fault, faultsIn } from '../../refusal.ts';
import type { Download, Page, View, Visit } from '../../session/visit.ts';
import { askNow, barsOf, deniedIn, hasManyKeys, keyNamed, type UsageRow } from '../overview/figures.ts';
import { asOfMarkup, awaited } from '../overview/panels.ts';
import { before, type Span, timeRange } from '../overview/spans.ts';
import { trafficMarkup } from '../overview/traffic.ts';

const pageSize = 50;
/** Rows of a CSV file, as many as REST gives at once. */
const downloadedMax = 10_000;

const groups = [
  { value: 'key', text: 'API key' },
  { value: 'owner', text: 'Owner' },
  { value: 'plan', text: 'Plan' },
  { value: 'scheme', text: 'Scheme' },
  { value: 'environment', text: 'Environment' },
  { value: 'none', text: 'Nothing: all together' },
];
const intervals = [
  { value: 'all', text: 'The whole time' },
  { value: 'hour', text: 'Hour' },
  { value: 'day', text: 'Day' },
  { value: 'month', text: 'Month' },
];
const orders = [
  { value: 'allowed', text: 'Most allowed first' },
  { value: 'denied', text: 'Most denied first' },
  { value: 'start', text: 'Newest first' },
];
const ranges = [
  { value: '7d', text: 'Last 7 days' },
  { value: '24h', text: 'Last 24 hours' },
  { value: '30d', text: 'Last 30 days' },
  { value: '90d', text: 'Last 90 days' },
];
const names = ['group_by', 'interval', 'range', 'owner', 'order_by'];

/** What keys were used for in all, added up as somebody asks. */
export const usagePages: readonly Page[] = [
  { path: '/usage', get: showUsage },
  { path: '/usage.csv', get: download },
];

type Asked = Readonly<Record<string, string | null>>;

/** The filters with what holds where the address says nothing. */
function askedIn(query: URLSearchParams): Asked {
  const given = filtersIn(query, names);
  return { ...given, group_by: given.group_by ?? 'key', interval: given.interval ?? 'all' };
}

function spanIn({ range }: Asked, now: number): Span {
  const { value, text } = ranges.find((known) => known.value === range) ?? (ranges[0] as (typeof ranges)[0]);
  return timeRange(value, text, now);
}

/** What REST is asked. */
function queryOf({ range: _, ...asked }: Asked, { since, until }: Span): Asked {
  return { ...asked, since: new Date(since).toISOString(), until: new Date(until).toISOString() };
}

async function showUsage(visit: Visit): Promise<View> {
  const { api, query, now } = visit;
  const asked = askedIn(query);
  const [span, place] = [spanIn(asked, now), placeIn(query)];
  let faults: readonly Fault[] = [];
  const wanted = apiQuery(queryOf(asked, span), place, pageSize);
  const ask = await askerOf(visit, asked);
  const recalled = await ask<Answer<UsageRow>>(`usage?${wanted}`).catch((error: unknown) => {
    faults = faultsIn(error);
    return { value: null, asOf: null };
  });
  if (faults.length > 0) return { title: 'Usage', status: 400, main: filterForm(visit, asked, faults) };
  const found = recalled.value ?? { data: [], next_page_token: null };
  const [bars, earlier, keys] = await Promise.all([
    barsOf(api, span, span.bar, asked.owner),
    barsOf(api, before(span), span.bar, asked.owner),
    asked.group_by === 'key' ? namesOf(visit, found.data) : new Map<string, Key>(),
  ]);
  const csv = path(['usage.csv'], asked);
  return {
    title: 'Usage',
    actions: html`<a class="button" href=${csv} download>CSV</a>`,
    main: html`${filterForm(visit, asked, faults)} ${trafficMarkup(bars, earlier, span)}
      ${recalled.value === null ? awaited : found.data.length === 0 ? emptyState('No requests in this time.', 'Choose a longer time, or another owner.') : table(visit, found.data, asked, keys)}
      ${asOfMarkup(recalled.asOf)}
      ${pagerMarkup(['usage'], asked, place, found.next_page_token)}`,
  };
}

/** Of single keys and owners all rows are added up before the first is known. */
async function askerOf({ api, recall, may }: Visit, { group_by: group, owner }: Asked): Promise<Ask> {
  const isOfMany = (group === 'key' || group === 'owner') && owner === null && may('ListKeys');
  return isOfMany && (await hasManyKeys(api)) ? recall : askNow(api);
}

async function download({ api, query, now }: Visit): Promise<Download> {
  const asked = askedIn(query);
  const wanted = apiQuery(queryOf(asked, spanIn(asked, now)), { token: '', trail: [] }, downloadedMax);
  return { csv: await api.usageCsv(wanted), name: 'usage.csv' };
}

function filterForm({ terms }: Visit, asked: Asked, faults: readonly Fault[]): Markup {
  const field = (name: string, label: string) => ({ name, label, value: asked[name] ?? '', faults });
  return html`<form class="filters" role="search" aria-label="Usage" method="get" action="/console/usage">
    ${faultSummary(faults, names)} ${selectField(field('range', 'Time'), ranges)}
    ${selectField(field('group_by', 'By'), groups)} ${selectField(field('interval', 'In steps of'), intervals)}
    ${selectField(field('order_by', 'Order'), orders)}
    ${terms.owner === null ? textField(field('owner', 'Owner'), { maxlength: 128, autocomplete: 'off' }) : null}
    <div class="actions"><button>Show</button></div>
  </form>`;
}

function table(
  visit: Visit,
  rows: readonly UsageRow[],
  asked: Asked,
  keys: ReadonlyMap<string, Key>,
): Markup {
  const { group_by: group, interval } = asked;
  const head = groups.find(({ value }) => value === group)?.text ?? 'Group';
  const hasStart = interval !== 'all';
  const columns: Column[] = [
    { name: group === 'none' ? 'Requests' : head },
    ...(hasStart ? [{ name: 'From' }] : []),
    { name: 'Allowed', isNumeric: true },
    { name: 'Denied', isNumeric: true },
    { name: 'Denied for' },
  ];
  return tableMarkup({
    ...{ caption: 'Usage', columns, named: 0 },
    rows: rows.map((row) => [
      groupMarkup(visit, row, group ?? null, keys),
      ...(hasStart ? [startMarkup(row, interval ?? null)] : []),
      grouped(row.allowed),
      grouped(deniedIn(row)),
      reasonsText(row),
    ]),
  });
}

function groupMarkup(
  { may }: Visit,
  { group }: UsageRow,
  by: string | null,
  keys: ReadonlyMap<string, Key>,
): Markup {
  if (by === 'none') return 'All';
  if (group === null) return by === 'owner' ? 'No owner' : 'None';
  if (by === 'owner') return may('GetOwner') ? html`<a href=${path(['owners', group])}>${group}</a>` : group;
  if (by !== 'key') return group;
  const key = keys.get(group);
  if (key === undefined) return html`<code>${group}</code>`;
  const owner = key.owner === null ? null : html`<span class="beneath">${key.owner}</span>`;
  return html`<a href=${path(['keys', group])}>${key.name}</a>${owner}`;
}

function startMarkup({ start }: UsageRow, interval: string | null): Markup {
  if (start === null) return '';
  if (interval === 'hour') return timeMarkup(start);
  return start.slice(0, interval === 'month' ? 7 : 10);
}

/** The most first. */
function reasonsText({ denied }: UsageRow): string {
  return Object.entries(denied)
    .toSorted(([, one], [, other]) => other - one)
    .map(([reason, count]) => `${reasonText(reason)} ${grouped(count)}`)
    .join(', ');
}

/** Keys that are not there any more, and those that cannot be read now, are left out. */
async function namesOf({ api, may }: Visit, rows: readonly UsageRow[]): Promise<ReadonlyMap<string, Key>> {
  if (!may('GetKey')) return new Map();
  const ids = [...new Set(rows.flatMap(({ group }) => group ?? []))];
  const keys = await Promise.all(ids.map((id) => keyNamed(api, id)));
  return new Map(keys.flatMap((key) => (key === null || key === 'unread' ? [] : [[key.id, key] as const])));
}
