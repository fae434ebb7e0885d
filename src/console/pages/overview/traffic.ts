import { type Element, html, type Markup, timeMarkup } from '../../markup/markup.ts';
import { grouped } from '../../markup/parts.ts';
import { deniedIn, requestsIn, type UsageRow } from './figures.ts';
import { barMs, before, type Span } from './spans.ts';

const height = 120;
const width = 960;

/** Requests over time: bars, a line for the time before, and the same figures as a table. */
export function trafficMarkup(bars: readonly UsageRow[], earlier: readonly UsageRow[], span: Span): Markup {
  const slots = slotsOf(bars, span.since, span);
  const past = slotsOf(earlier, before(span).since, span);
  const end = scaleEnd(Math.max(...slots.map(totalOf), ...past.map(totalOf)));
  return html`<figure class="traffic">
    <div class="scaled">
      <div class="scale" aria-hidden="true"><span>${grouped(end)}</span><span>0</span></div>
      ${drawing(slots, past, { span, end })}
      <div class="dates" aria-hidden="true">${dates(span).map((text) => html`<span>${text}</span>`)}</div>
    </div>
    <ul class="legend">
      <li><span class="swatch allowed"></span>Allowed</li>
      <li><span class="swatch denied-0"></span>Denied</li>
      <li><span class="swatch past"></span>All in ${span.before}</li>
    </ul>
    ${table(slots, past, span)}
  </figure>`;
}

interface Slot {
  readonly start: number;
  readonly row: UsageRow | null;
}

function slotsOf(rows: readonly UsageRow[], since: number, span: Span): readonly Slot[] {
  const unit = barMs(span);
  const byStart = new Map(rows.map((row) => [Date.parse(row.start ?? ''), row]));
  return Array.from({ length: Math.round((span.until - span.since) / unit) }, (_, at) => {
    const start = since + at * unit;
    return { start, row: byStart.get(start) ?? null };
  });
}

function totalOf({ row }: Slot): number {
  return row === null ? 0 : requestsIn(row);
}

/** The next of 1, 2 and 5 with zeros behind it. */
export function scaleEnd(most: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  return power * ([1, 2, 5, 10].find((step) => step * power >= most) ?? 10);
}

function drawing(
  slots: readonly Slot[],
  past: readonly Slot[],
  { span, end }: { readonly span: Span; readonly end: number },
): Element {
  const slotWidth = width / slots.length;
  const y = (count: number) => round(height - (count / end) * height);
  const steps = past.map(
    (slot, at) =>
      `${at === 0 ? 'M' : 'L'}${round(at * slotWidth)} ${y(totalOf(slot))}H${round((at + 1) * slotWidth)}`,
  );
  return html`<svg
    class="plot"
    role="img"
    aria-label=${`Requests by ${span.bar}, ${span.label.toLowerCase()}, and those of ${span.before}. The table below has the figures.`}
    viewBox=${`0 0 ${width} ${height}`}
    preserveAspectRatio="none"
  >
    ${[0, 0.5, 1].map((part) => html`<line class="grid" x1="0" y1=${part * height} x2=${width} y2=${part * height} />`)}
    ${slots.map((slot, at) => column(slot, past[at], { x: at * slotWidth, width: slotWidth, end, span }))}
    <path class="past" d=${steps.join('')} vector-effect="non-scaling-stroke" />
  </svg>`;
}

function column(
  { start, row }: Slot,
  past: Slot | undefined,
  {
    x,
    width: wide,
    end,
    span,
  }: { readonly x: number; readonly width: number; readonly end: number; readonly span: Span },
): Element {
  const gap = wide * 0.12;
  const size = (count: number) => (count === 0 ? 0 : Math.max(1, (count / end) * height));
  const [allowed, denied] = [size(row?.allowed ?? 0), size(row === null ? 0 : deniedIn(row))];
  const bar = (kind: string, top: number, tall: number) =>
    tall === 0
      ? null
      : html`<rect class=${kind} x=${round(x + gap)} y=${round(top)} width=${round(wide - 2 * gap)} height=${round(tall)} />`;
  const told = `${startText(start, span)}: ${grouped(row?.allowed ?? 0)} allowed, ${grouped(row === null ? 0 : deniedIn(row))} denied; ${grouped(past === undefined ? 0 : totalOf(past))} in ${span.before}`;
  return html`<g>
    <title>${told}</title>
    <rect class="hit" x=${round(x)} y="0" width=${round(wide)} height=${height} />
    ${bar('allowed', height - allowed, allowed)} ${bar('denied-0', height - allowed - denied, denied)}
  </g>`;
}

function startText(start: number, { bar }: Pick<Span, 'bar'>): string {
  const iso = new Date(start).toISOString();
  return bar === 'hour' ? `${iso.slice(11, 16)} UTC` : iso.slice(0, 10);
}

/** Under the bars, at even distances. */
function dates(span: Span): readonly string[] {
  const bars = (span.until - span.since) / barMs(span);
  const marks = span.bar === 'hour' ? 4 : bars === 7 ? 7 : 5;
  return Array.from({ length: marks }, (_, at) => {
    const text = startText(span.since + Math.round((at * bars) / marks) * barMs(span), span);
    // A phone has no room for seven years.
    return span.bar === 'hour' ? text : text.slice('2026-'.length);
  });
}

function round(length: number): number {
  return Math.round(length * 100) / 100;
}

function table(slots: readonly Slot[], past: readonly Slot[], span: Span): Element {
  return html`<details>
    <summary>The figures as a table</summary>
    <div class="scrolling" tabindex="0" role="region" aria-label="Requests over time">
      <table>
        <caption class="unseen">Requests by ${span.bar}</caption>
        <thead>
          <tr>
            <th scope="col">${span.bar === 'hour' ? 'Hour' : 'Day'}</th>
            <th scope="col" class="number">Allowed</th>
            <th scope="col" class="number">Denied</th>
            <th scope="col" class="number">All in ${span.before}</th>
          </tr>
        </thead>
        <tbody>
          ${slots.map(
            ({ start, row }, at) => html`<tr>
              <th scope="row">${timeMarkup(new Date(start).toISOString())}</th>
              <td class="number">${grouped(row?.allowed ?? 0)}</td>
              <td class="number">${grouped(row === null ? 0 : deniedIn(row))}</td>
              <td class="number">${grouped(past[at] === undefined ? 0 : totalOf(past[at]))}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}
