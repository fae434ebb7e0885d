import type { Bucket, Key } from '../../api-answers.ts';
import { agoMarkup, html, type Markup, path } from '../../markup/markup.ts';
import { menu } from '../../markup/parts.ts';
import { type Sparkline, sparkline } from '../../markup/sparkline.ts';
import { type Column, type Row, type Sort, tableMarkup } from '../../markup/table.ts';
import type { Visit } from '../../session/visit.ts';
import type { Filters } from './key-query.ts';
import { masked, stateMarkup } from './key-shown.ts';

const hourMs = 3_600_000;
const hoursShown = 24;

/** When the hours of a sparkline begin. */
export function sinceOf(now: number): string {
  return new Date((Math.floor(now / hourMs) - hoursShown + 1) * hourMs).toISOString();
}

/** One line for each key. `usage` is null for who may not see it. */
export function keyTable(
  visit: Visit,
  keys: readonly Key[],
  filters: Filters,
  usage: ReadonlyMap<string, readonly Bucket[]> | null,
): Markup {
  const { canWrite } = visit;
  const columns: Column[] = [
    ...(canWrite ? [{ name: 'Select', kind: 'pick', head: selectAll }] : []),
    nameColumn(visit, filters),
    { name: 'Key', kind: 'masked' },
    { name: 'State', kind: 'status', sort: sortBy('state', filters) },
    ...(usage === null ? [] : [dayColumn(visit, filters)]),
    { name: 'Last used', kind: 'used', isNumeric: true, sort: sortBy('last_used_at', filters) },
    { name: 'Expires', kind: 'expires', isNumeric: true, sort: sortBy('expires_at', filters) },
    { name: 'Created', kind: 'created', isNumeric: true, sort: sortBy('created_at', filters) },
    ...(canWrite ? [{ name: 'Actions', kind: 'acts', isUnseen: true }] : []),
  ];
  return tableMarkup({
    ...{ caption: 'API keys', kind: 'lines keys', columns },
    named: canWrite ? 1 : 0,
    rows: keys.map((key) => row(visit, key, usage)),
  });
}

/** Of use with script alone, which shows it. */
const selectAll = html`<input type="checkbox" data-select-all hidden aria-label="Select all on this page" />`;

/** The owner stands beneath the name, and is no column of its own. */
function nameColumn({ terms }: Visit, filters: Filters): Column {
  const [name, owner] = [sortBy('name', filters), sortBy('owner', filters)];
  const column = { name: 'Name', kind: 'name' };
  if (terms.owner !== null || filters.owner != null) return { ...column, sort: name };
  const isCurrent = owner.direction !== null;
  return {
    ...column,
    sort: isCurrent ? { ...name, direction: owner.direction } : name,
    beside: { name: 'Owner', href: owner.href, isCurrent },
  };
}

/** No list of keys is by what moves on with each request: the page of usage ranks keys by it. */
function dayColumn({ may }: Visit, { owner = null }: Filters): Column {
  const column = { name: 'Last 24 hours', kind: 'day' };
  if (!may('GetUsage')) return column;
  return { ...column, sort: { href: path(['usage'], { range: '24h', owner }), direction: null } };
}

/** A new column begins with its newest, latest or first; the same one turns around. */
function sortBy(column: string, filters: Filters): Sort {
  const sorted = filters.sort ?? 'created_at desc';
  const [by, isDescending] = [sorted.replace(/ desc$/, ''), sorted.endsWith(' desc')];
  const first = column === 'created_at' || column === 'last_used_at' ? `${column} desc` : column;
  const turned = isDescending ? column : `${column} desc`;
  const { at: _, ...others } = filters;
  const href = path(['keys'], { ...others, sort: by === column ? turned : first });
  const direction = isDescending ? 'descending' : 'ascending';
  return { href, direction: by === column ? direction : null };
}

function row(visit: Visit, key: Key, usage: ReadonlyMap<string, readonly Bucket[]> | null): Row {
  const { now, canWrite, may } = visit;
  return [
    ...(canWrite ? [pick(key)] : []),
    html`<a href=${path(['keys', key.id])} title=${key.name}>${key.name}</a>${ownerLine(visit, key)}`,
    html`<code>${masked(key)}</code>`,
    stateMarkup(key, may('GetOwner')),
    ...(usage === null ? [] : [daySparkline(usage.get(key.id) ?? [], now)]),
    agoMarkup(key.last_used_at, now),
    agoMarkup(key.expires_at, now),
    agoMarkup(key.created_at, now),
    ...(canWrite ? [acts(visit, key)] : []),
  ];
}

/** Nothing for who sees the keys of one owner alone. */
function ownerLine({ terms }: Visit, { owner }: Key): Markup {
  if (terms.owner !== null) return null;
  return html`<span class="beneath" title=${owner}>${owner ?? 'No owner'}</span>`;
}

function pick({ id, name, state }: Key): Markup {
  if (state === 'revoked') return null;
  return html`<input type="checkbox" name="id" value=${id} form="chosen" aria-label=${`Select ${name}`} />`;
}

function acts({ token, may }: Visit, { id, name, state, owner }: Key): Markup {
  const toOwner =
    owner !== null && may('GetOwner') ? html`<a href=${path(['owners', owner])}>Owner ${owner}</a>` : null;
  if (state === 'revoked') return toOwner === null ? null : menu(`Actions for ${name}`, [toOwner]);
  const of = html`<span class="unseen"> ${name}</span>`;
  const enable = html`<form method="post" action=${path(['keys', id, 'enable'])} data-progress="Enabling…">
    <input type="hidden" name="token" value=${token} /><button>Enable${of}</button>
  </form>`;
  return menu(`Actions for ${name}`, [
    html`<a href=${path(['keys', id, 'edit'])}>Edit${of}</a>`,
    state === 'active' ? html`<a href=${path(['keys', id, 'rotate'])}>Rotate${of}</a>` : null,
    state === 'disabled' ? enable : html`<a href=${path(['keys', id, 'disable'])}>Disable${of}</a>`,
    toOwner,
    html`<a class="danger" href=${path(['keys', id, 'revoke'])}>Revoke${of}</a>`,
  ]);
}

function daySparkline(buckets: readonly Bucket[], now: number): Markup {
  const first = Math.floor(now / hourMs) - hoursShown + 1;
  const bars: { allowed: number; denied: number }[] = Array.from({ length: hoursShown }, () => ({
    ...{ allowed: 0, denied: 0 },
  }));
  for (const { start, allowed, denied } of buckets) {
    const bar = bars[Math.floor(Date.parse(start) / hourMs) - first];
    if (bar === undefined) continue;
    bar.allowed += allowed;
    bar.denied += Object.values(denied).reduce((sum, count) => sum + count, 0);
  }
  return sparkline(bars satisfies Sparkline, 'in the last 24 hours');
}
