import { expect, it } from 'vitest';
import { type Plot, plotSvg } from '../../bench/report/plot.ts';

const plot: Plot = {
  title: 'Cost & <time>',
  unit: 'µs, "less" is better',
  groups: [
    {
      title: 'hit',
      bars: [
        { name: 'postern', value: { median: 10, low: 9, high: 12 } },
        { name: 'go', value: { median: 40, low: 35, high: 50 } },
      ],
    },
    { title: 'miss', bars: [{ name: 'go', value: { median: 20, low: 20, high: 20 } }] },
  ],
};

/** Every tag closed in order, attributes quoted, no bare `&` or `<`; answers the tags' names. */
function readXml(text: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  const rest = text.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)(\/?)>/g,
    (_, closes, name, __, empty) => {
      if (closes) expect(open.pop()).toBe(name);
      else {
        names.push(name);
        if (!empty) open.push(name);
      }
      return '';
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]|&(?!#\d+;)/);
  return names;
}

it('draws well-formed XML, whatever is written in it', () => {
  const names = readXml(plotSvg(plot));
  expect(names[0]).toBe('svg');
  expect(names.filter((name) => name === 'line')).toHaveLength(3);
});

it('draws bars to one scale', () => {
  const widths = [...plotSvg(plot).matchAll(/<rect [^>]*width="([\d.]+)" height="14"/g)].map(([, width]) =>
    Number(width),
  );
  expect(widths).toHaveLength(3);
  const [small = 0, large = 0, middle = 0] = widths;
  expect(large / small).toBeCloseTo(4, 1);
  expect(large / middle).toBeCloseTo(2, 1);
});

it('gives a peer the same colour in every group, and two peers two', () => {
  const colours = [...plotSvg(plot).matchAll(/height="14" fill="(#[0-9a-f]{6})"/g)].map(
    ([, colour]) => colour,
  );
  expect(colours[1]).toBe(colours[2]);
  expect(colours[0]).not.toBe(colours[1]);
});

it('can be read in the dark', () => {
  expect(plotSvg(plot)).toMatch(/prefers-color-scheme: dark\) \{\s+text \{ fill: #e/);
});

it('draws nothing of nothing', () => {
  expect(readXml(plotSvg({ ...plot, groups: [] }))).toContain('svg');
});
