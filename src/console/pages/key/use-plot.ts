import type { Bucket } from '../../api-answers.ts';
import { type Element, html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { reasonClass, reasonText } from '../../markup/reason.ts';
import { added, type Bar, barsOf, changeText, lastDays, type Span, scaleEnd, sum } from './plot-scale.ts';

const height = 120;
const barWidth = 8;

/** What a key was used for, in bars by hour or by day: allowed, and denied by reason; and the same figures as a table. */
export function usePlot(buckets: readonly Bucket[], span: Span, now: number): Markup {
  const bars = barsOf(buckets, span, now);
  const most = Math.max(...bars.map(({ total }) => total));
  const kinds = kindsIn(bars);
  if (most === 0 && kinds.length === 0) {
    return html`<p class="none">No requests in the last ${span.name}.</p>`;
  }
  return html`<figure class="use">
      <figcaption>${dayChange(buckets, now)}</figcaption>
      <div class="scaled">
        ${scale(scaleEnd(most))}
        ${drawing(bars, kinds, span, scaleEnd(most))}
        ${dates(bars, span)}
      </div>
      ${legend(kinds)}
    </figure>
    ${table(bars, kinds, span)}`;
}

/** What requests are counted by: allowed, denied for a reason, or what would have been. */
interface Kind {
  readonly name: string;
  /** Of the bar and its swatch. */
  readonly colour: string;
  readonly of: (bar: Bar) => number;
  readonly total: number;
}

function kindsIn(bars: readonly Bar[]): readonly Kind[] {
  const denied = added(bars.map((bar) => bar.denied));
  const observed = added(bars.map((bar) => bar.observed));
  const allowed = sum(bars.map((bar) => bar.allowed));
  return [
    ...(allowed === 0
      ? []
      : [{ name: 'Allowed', colour: 'allowed', of: (bar: Bar) => bar.allowed, total: allowed }]),
    ...byReason(denied).map(([reason, total]) => ({
      ...{ name: reasonText(reason), colour: reasonClass(reason), total },
      of: (bar: Bar) => bar.denied[reason] ?? 0,
    })),
    ...byReason(observed).map(([reason, total]) => ({
      ...{ name: `Observed: ${reasonText(reason)}`, colour: `observed ${reasonClass(reason)}`, total },
      of: (bar: Bar) => bar.observed[reason] ?? 0,
    })),
  ];
}

function byReason(totals: Readonly<Record<string, number>>): readonly [string, number][] {
  return Object.entries(totals)
    .filter(([, total]) => total > 0)
    .toSorted(([one], [other]) => (one < other ? -1 : 1));
}

/** The last day beside the one before it. */
function dayChange(buckets: readonly Bucket[], now: number): Markup {
  const { last, before } = lastDays(buckets, now);
  const change = changeText(last, before);
  const requests = `${grouped(last)} ${last === 1 ? 'request' : 'requests'} in the last 24 hours`;
  if (change !== null)
    return html`<p>${requests}, <strong>${change}</strong> in the 24 hours before (${grouped(before)}).</p>`;
  return html`<p>${requests}, none in the 24 hours before.</p>`;
}

/** The numbers at the left: the end of the scale, its half where that is a whole number, none. */
function scale(end: number): Element {
  return html`<div class="scale" aria-hidden="true">
    <span>${grouped(end)}</span>${end % 2 === 0 ? html`<span>${grouped(end / 2)}</span>` : null}<span>0</span>
  </div>`;
}

function drawing(bars: readonly Bar[], kinds: readonly Kind[], { bar, name }: Span, end: number): Element {
  const width = bars.length * barWidth;
  const total = sum(kinds.map((kind) => kind.total));
  return html`<svg
    class="plot"
    role="img"
    aria-label=${`Requests by ${bar} in the last ${name}: ${grouped(total)} in all. The table below has the figures.`}
    viewBox=${`0 0 ${width} ${height}`}
    preserveAspectRatio="none"
  >
    ${[0, 0.5, 1].map((part) => html`<line class="grid" x1="0" y1=${part * height} x2=${width} y2=${part * height} />`)}
    ${bars.map((each, at) => column(each, kinds, { x: at * barWidth, end, bar }))}
  </svg>`;
}

/** A bar, and above all of its height what a pointer that rests there is told. */
function column(
  bar: Bar,
  kinds: readonly Kind[],
  { x, end, bar: unit }: { readonly x: number; readonly end: number; readonly bar: Span['bar'] },
): Markup {
  let top = height;
  const parts = kinds.flatMap((kind) => {
    const count = kind.of(bar);
    if (count === 0) return [];
    const size = Math.max(1.5, (count / end) * height);
    top -= size;
    return [
      html`<rect class=${kind.colour} x=${x + 1} y=${round(Math.max(0, top))} width=${barWidth - 2} height=${round(size)} />`,
    ];
  });
  const told = kinds.flatMap((kind) => (kind.of(bar) === 0 ? [] : [`${kind.name} ${grouped(kind.of(bar))}`]));
  return html`<g>
    <title>${titleOf(bar, unit)}: ${told.length === 0 ? 'no requests' : told.join(', ')}</title>
    <rect class="hit" x=${x} y="0" width=${barWidth} height=${height} />${parts}
  </g>`;
}

function titleOf({ start }: Bar, unit: Span['bar']): string {
  const iso = new Date(start).toISOString();
  return unit === 'day' ? dayText(iso) : `${dayText(iso)} ${iso.slice(11, 16)} UTC`;
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** As in "28 Nov", by UTC. */
function dayText(iso: string): string {
  return `${Number(iso.slice(8, 10))} ${months[Number(iso.slice(5, 7)) - 1]}`;
}

/** Beneath the bars: when those begin that a label stands under. */
function dates(bars: readonly Bar[], { labelEvery, bars: count }: Span): Element {
  const labelled = bars.filter((_, at) => at % labelEvery === 0);
  return html`<div class="dates" aria-hidden="true">
    ${labelled.map(({ start }) => {
      const iso = new Date(start).toISOString();
      return html`<span>${count === 24 ? `${iso.slice(11, 16)} UTC` : dayText(iso)}</span>`;
    })}
  </div>`;
}

function legend(kinds: readonly Kind[]): Element {
  return html`<ul class="legend">
    ${kinds.map(
      ({ name, colour, total }) =>
        html`<li><span class=${`swatch ${colour}`}></span>${name} <strong>${grouped(total)}</strong></li>`,
    )}
  </ul>`;
}

function table(bars: readonly Bar[], kinds: readonly Kind[], { bar: unit }: Span): Element {
  const used = bars.filter((bar) => kinds.some((kind) => kind.of(bar) > 0)).toReversed();
  return html`<details>
    <summary>Requests by ${unit} as a table</summary>
    <div class="scrolling" tabindex="0" role="region" aria-label=${`Requests by ${unit}`}>
      <table class="figures">
        <caption class="unseen">Requests by ${unit}</caption>
        <thead>
          <tr>
            <th scope="col">${unit === 'day' ? 'Day (UTC)' : 'Hour'}</th>
            ${kinds.map(({ name }) => html`<th scope="col" class="number">${name}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${used.map(
            (bar) => html`<tr>
              <th scope="row">${startMarkup(bar, unit)}</th>
              ${kinds.map((kind) => html`<td class="number">${grouped(kind.of(bar))}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

function startMarkup({ start }: Bar, unit: Span['bar']): Markup {
  const iso = new Date(start).toISOString();
  return unit === 'day' ? iso.slice(0, 10) : timeMarkup(`${iso.slice(0, 19)}Z`);
}

function round(length: number): number {
  return Math.round(length * 100) / 100;
}
