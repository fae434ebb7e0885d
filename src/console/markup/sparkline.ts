import { html, type Markup } from './markup.ts';
import { grouped } from './parts.ts';

/** What was allowed and denied in one slot of time after another. */
export type Sparkline = readonly { readonly allowed: number; readonly denied: number }[];

const slotWidth = 4;
const height = 20;

/** Bars as small as a word, the denied on top; `when` says what time they are of. */
export function sparkline(bars: Sparkline, when: string): Markup {
  const most = Math.max(...bars.map(({ allowed, denied }) => allowed + denied));
  if (most <= 0)
    return html`<span class="muted" title=${`No requests ${when}`}>–<span class="unseen"> no requests ${when}</span></span>`;
  const sizeOf = (count: number) => (count === 0 ? 0 : Math.max(1, Math.round((count / most) * height)));
  let [good, bad, allowedSum, deniedSum] = ['', '', 0, 0];
  for (const [at, { allowed, denied }] of bars.entries()) {
    const [below, above] = [sizeOf(allowed), Math.min(sizeOf(denied), height)];
    const bottom = height - Math.min(below, height - above);
    if (below > 0) good += bar(at, height, height - bottom);
    if (above > 0) bad += bar(at, bottom, above);
    allowedSum += allowed;
    deniedSum += denied;
  }
  const told = `${grouped(allowedSum)} allowed, ${grouped(deniedSum)} denied ${when}`;
  return html`<svg class="sparkline" role="img" viewBox=${`0 0 ${bars.length * slotWidth} ${height}`} preserveAspectRatio="none">
    <title>${told}</title>
    ${good === '' ? null : html`<path d=${good} />`}${bad === '' ? null : html`<path class="denied" d=${bad} />`}
  </svg>`;
}

function bar(at: number, bottom: number, size: number): string {
  return `M${at * slotWidth} ${bottom}v${-size}h${slotWidth - 1}v${size}z`;
}
