import type { Spread } from './report.ts';

/** Bars of one thing that was measured, one for each peer. */
export interface PlotGroup {
  readonly title: string;
  readonly bars: readonly PlotBar[];
}

export interface PlotBar {
  readonly name: string;
  readonly value: Spread;
}

export interface Plot {
  readonly title: string;
  /** What the values are, as in `µs CPU/Check, less is better`. */
  readonly unit: string;
  readonly groups: readonly PlotGroup[];
}

const width = 760;
const labelWidth = 230;
const valueWidth = 70;
const barHeight = 14;
const barGap = 3;
const groupGap = 14;
const headHeight = 62;

/** Colours that are told apart by those who see few, on light and on dark (Okabe and Ito's). */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];

const style = `
    text { font: 12px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 15px; font-weight: 600; }
    .faint { fill: #59636e; }
    .whisker { stroke: #1f2328; stroke-width: 1.5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .faint { fill: #9198a1; }
      .whisker { stroke: #e6edf3; }
    }`;

/** An SVG of horizontal bars, a line across each from the lowest to the highest round. */
export function plotSvg({ title, unit, groups }: Plot): string {
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const most = Math.max(
    ...groups.flatMap(({ bars }) => bars.map(({ value }) => value.high)),
    Number.MIN_VALUE,
  );
  const scale = (width - labelWidth - valueWidth) / most;
  const parts: string[] = [];
  let y = headHeight;
  for (const group of groups) {
    const middle = y + (group.bars.length * (barHeight + barGap) - barGap) / 2 + 4;
    parts.push(text(labelWidth - 10, middle, group.title, 'text-anchor="end"'));
    for (const { name, value } of group.bars) {
      parts.push(bar({ y, value, scale, colour: colours[names.indexOf(name) % colours.length] ?? '' }));
      y += barHeight + barGap;
    }
    y += groupGap;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="${escaped(`${title}: ${unit}`)}">
  <style>${style}
  </style>
  ${[text(0, 16, title, 'class="title"'), text(0, 34, unit, 'class="faint"'), legend(names), ...parts].join('\n  ')}
</svg>
`;
}

function bar({
  y,
  value,
  scale,
  colour,
}: {
  y: number;
  value: Spread;
  scale: number;
  colour: string;
}): string {
  const end = labelWidth + value.high * scale + 6;
  const middle = y + barHeight / 2;
  const [from, to] = [value.low, value.high].map((limit) => number(labelWidth + limit * scale));
  return [
    `<rect x="${labelWidth}" y="${y}" width="${number(value.median * scale)}" height="${barHeight}" fill="${colour}" rx="2"/>`,
    `<line class="whisker" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>`,
    text(end, y + barHeight - 3, shown(value.median), ''),
  ].join('');
}

function legend(names: readonly string[]): string {
  const step = 110;
  return names
    .map((name, at) => {
      const x = labelWidth + at * step;
      const square = `<rect x="${x}" y="42" width="10" height="10" fill="${colours[at % colours.length]}" rx="2"/>`;
      return `${square}${text(x + 15, 51, name, '')}`;
    })
    .join('');
}

function text(x: number, y: number, what: string, attributes: string): string {
  return `<text x="${number(x)}" y="${number(y)}"${attributes && ` ${attributes}`}>${escaped(what)}</text>`;
}

function shown(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}

function number(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(what: string): string {
  return what.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
