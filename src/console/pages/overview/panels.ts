import type { Key, Page } from '../../api-answers.ts';
import { agoMarkup, type Element, html, type Markup, path, timeMarkup } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { reasonClass, reasonText } from '../../markup/reason.ts';
import type { Compared, Figures, KeyCompared, UsageRow } from './figures.ts';
import { changeText, type Span } from './spans.ts';

/** A part of the overview under a heading, with a link to the list behind it. */
export function panel(id: string, title: string, body: Markup, more: Markup = null): Element {
  return html`<section class="panel" aria-labelledby=${id}>
    <div class="panel-head">
      <h2 id=${id}>${title}</h2>
      ${more}
    </div>
    ${body}
  </section>`;
}

/** One number, which leads to the list behind it. */
export function figure(label: string, value: string, href: string, note: Markup = null): Element {
  return html`<a class="figure" href=${href}>
    <span class="label">${label}</span> <span class="value">${value}</span>
    ${note === null ? null : html`<span class="delta">${note}</span>`}
  </a>`;
}

export function changeMarkup({ now, before }: Pick<Compared, 'now' | 'before'>): Markup {
  const text = changeText(now, before);
  return text === null ? '–' : html`<span class=${now > before ? 'change up' : 'change'}>${text}</span>`;
}

/** Whose requests changed most. */
export function ownersPanel({ value, asOf }: NonNullable<Figures['owners']>, span: Span): Element {
  const all = html`<a href=${path(['owners'])}>All owners</a>`;
  if (value === null) return panel('owners', 'Owners by change', awaited, all);
  const rows = value.map((row) => [
    html`<a href=${path(['owners', row.group ?? ''])}>${row.group}</a>`,
    ...numbers(row),
  ]);
  return panel(
    'owners',
    'Owners by change',
    html`${comparison('Owner', rows, span)}${asOfMarkup(asOf)}`,
    all,
  );
}

export function keysPanel({ value, asOf }: Figures['keys'], span: Span): Element {
  const all = html`<a href=${path(['keys'], { sort: 'last_used_at desc' })}>All keys</a>`;
  if (value === null) return panel('top-keys', 'Top keys', awaited, all);
  const rows = value.map((row) => [keyCell(row), ...numbers(row)]);
  return panel('top-keys', 'Top keys', html`${comparison('Key', rows, span)}${asOfMarkup(asOf)}`, all);
}

/** A key that is gone has an id that leads nowhere. */
function keyCell({ group, key }: KeyCompared): Markup {
  if (key === null) return html`${group}<span class="beneath">No longer there</span>`;
  const link = path(['keys', group ?? '']);
  if (key === 'unread')
    return html`<a href=${link}>${group}</a><span class="beneath">Its name cannot be read now</span>`;
  return html`<a href=${link}>${key.name}</a>${key.owner === null ? null : html`<span class="beneath">${key.owner}</span>`}`;
}

/** In place of what is added up for the first time, over many keys. */
export const awaited = html`<p class="muted">Being added up over many keys. Look again in a moment.</p>`;

/** Of when the figures are that are not of now; nothing for those that are. */
export function asOfMarkup(asOf: number | null): Markup {
  return asOf === null ? null : html`<p class="muted">As of ${timeMarkup(new Date(asOf).toISOString())}</p>`;
}

function numbers(row: Compared): readonly Markup[] {
  return [grouped(row.now), grouped(row.before), changeMarkup(row)];
}

function comparison(what: string, rows: readonly (readonly Markup[])[], span: Span): Element {
  if (rows.length === 0) return html`<p class="muted">No requests in this time, or in ${span.before}.</p>`;
  return html`<table class="compared">
    <caption class="unseen">${what}, requests in this time and in ${span.before}</caption>
    <thead>
      <tr>
        <th scope="col">${what}</th>
        <th scope="col" class="number">Requests</th>
        <th scope="col" class="number">Before</th>
        <th scope="col" class="number">Change</th>
      </tr>
    </thead>
    <tbody>
      ${rows.map(
        ([name, ...others]) => html`<tr>
          <th scope="row">${name}</th>
          ${others.map((cell) => html`<td class="number">${cell}</td>`)}
        </tr>`,
      )}
    </tbody>
  </table>`;
}

/** Why requests were denied, the most first. */
export function reasonsPanel(bars: readonly UsageRow[], span: Span, earlier: readonly UsageRow[]): Element {
  const [now, past] = [sums(bars), sums(earlier)];
  const reasons = [...now].toSorted(([, one], [, other]) => other - one);
  const most = Math.max(1, ...now.values());
  const times = { since: minute(span.since), until: minute(span.until) };
  const body =
    reasons.length === 0
      ? html`<p class="muted">Nothing was denied in this time.</p>`
      : html`<ul class="bars">
          ${reasons.map(
            ([reason, count]) => html`<li>
              <a href=${path(['requests'], { decision: 'deny', reason, ...times })}>${reasonText(reason)}</a>
              <svg class="part" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                <rect class=${reasonClass(reason)} width=${Math.max(1, Math.round((count / most) * 100))} height="8" />
              </svg>
              <span class="number">${grouped(count)}</span>
              <span class="number">${changeMarkup({ now: count, before: past.get(reason) ?? 0 })}</span>
            </li>`,
          )}
        </ul>`;
  return panel('reasons', 'Denials by reason', body);
}

function sums(rows: readonly UsageRow[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  for (const { denied } of rows) {
    for (const [reason, count] of Object.entries(denied))
      totals.set(reason, (totals.get(reason) ?? 0) + count);
  }
  return totals;
}

/** As the fields of a list's filters have it, UTC. */
function minute(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16);
}

/** Keys that somebody should look at: the first of them, and when each ends or was used. */
export function watchedPanel(
  {
    id,
    title,
    href,
    none,
  }: { readonly id: string; readonly title: string; readonly href: string; readonly none: string },
  { data }: Page<Key>,
  when: (key: Key) => { readonly iso: string | null; readonly otherwise: string },
  now: number,
): Element {
  const body =
    data.length === 0
      ? html`<p class="muted">${none}</p>`
      : html`<ul class="watched">
          ${data.map((key) => {
            const { iso, otherwise } = when(key);
            return html`<li>
              <a href=${path(['keys', key.id])}>${key.name}</a>
              <span class="muted">${key.owner ?? ''}</span>
              <span class="when">${agoMarkup(iso, now, otherwise)}</span>
            </li>`;
          })}
        </ul>`;
  return panel(id, title, body, data.length === 0 ? null : html`<a href=${href}>Show all</a>`);
}
