import type { Bucket } from '../../api-answers.ts';
import { type Element, html, type Markup, timeMarkup } from '../../markup/markup.ts';

const hourMs = 3_600_000;
const height = 120;
const barWidth = 8;

/** Requests by hour, allowed and denied by reason: bars, and the same figures as a table. */
export function usagePlot(given: readonly Bucket[], hours: number, now: number): Markup {
  const buckets = given.map(withObserved);
  if (buckets.length === 0) return html`<p>No requests in this time.</p>`;
  const reasons = [...new Set(buckets.flatMap(({ denied }) => Object.keys(denied)))].toSorted();
  const allowed = sum(buckets.map((bucket) => bucket.allowed));
  const denied = sum(given.map(deniedIn));
  const observed = sum(given.map((bucket) => sum(Object.values(bucket.observed))));
  const most = mostIn(buckets);
  const from = new Date(firstHour(hours, now) * hourMs).toISOString();
  return html`<figure>
      ${bars(buckets, reasons, { hours, now })}
      <figcaption>
        ${allowed} allowed, ${denied} denied${observed === 0 ? '' : `, ${observed} observed`}. The most in an hour: ${most}. From ${timeMarkup(from)} until now.
        <ul class="legend">
          <li><span class="swatch allowed"></span>Allowed</li>
          ${reasons.map((reason, at) => html`<li><span class=${`swatch denied-${at % 5}`}></span>${reason}</li>`)}
        </ul>
      </figcaption>
    </figure>
    ${table(buckets, reasons)}`;
}

/** What would have been denied, were it not only observed, is a kind of its own for each reason. */
function withObserved(bucket: Bucket): Bucket {
  const observed = Object.entries(bucket.observed).map(([reason, count]) => [`observed: ${reason}`, count]);
  return { ...bucket, denied: { ...bucket.denied, ...Object.fromEntries(observed) } };
}

function bars(
  buckets: readonly Bucket[],
  reasons: readonly string[],
  { hours, now }: { readonly hours: number; readonly now: number },
): Element {
  const first = firstHour(hours, now);
  const most = Math.max(1, mostIn(buckets));
  const width = hours * barWidth;
  const rects = buckets.flatMap((bucket) => {
    const slot = Math.floor(Date.parse(bucket.start) / hourMs) - first;
    const parts = [['allowed', bucket.allowed] as const].concat(
      reasons.map((reason, at) => [`denied-${at % 5}`, bucket.denied[reason] ?? 0] as never),
    );
    let top = height;
    return parts.flatMap(([kind, count]) => {
      if (count === 0 || slot < 0) return [];
      const size = Math.max(1, (count / most) * height);
      top -= size;
      return [
        html`<rect class=${kind} x=${slot * barWidth + 1} y=${top} width=${barWidth - 2} height=${size} />`,
      ];
    });
  });
  return html`<svg
    class="plot"
    role="img"
    aria-label=${`Requests by hour in the last ${hours} hours; the most in an hour were ${most}. The table below has the figures.`}
    viewBox=${`0 0 ${width} ${height}`}
    preserveAspectRatio="none"
  >
    <line class="axis" x1="0" y1=${height} x2=${width} y2=${height} />
    ${rects}
  </svg>`;
}

function table(buckets: readonly Bucket[], reasons: readonly string[]): Element {
  return html`<details>
    <summary>Requests by hour as a table</summary>
    <div class="scrolling" tabindex="0" role="region" aria-label="Requests by hour">
      <table>
        <caption class="unseen">Requests by hour</caption>
        <thead>
          <tr>
            <th scope="col">Hour</th>
            <th scope="col">Allowed</th>
            ${reasons.map((reason) => html`<th scope="col">${reason}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${buckets.toReversed().map(
            (bucket) => html`<tr>
              <th scope="row">${timeMarkup(bucket.start)}</th>
              <td>${bucket.allowed}</td>
              ${reasons.map((reason) => html`<td>${bucket.denied[reason] ?? 0}</td>`)}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** Of the hours that are shown, in hours since the Unix epoch. */
function firstHour(hours: number, now: number): number {
  return Math.floor(now / hourMs) - hours + 1;
}

function mostIn(buckets: readonly Bucket[]): number {
  return Math.max(0, ...buckets.map((bucket) => bucket.allowed + deniedIn(bucket)));
}

function deniedIn({ denied }: Bucket): number {
  return sum(Object.values(denied));
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
