import { expect, it } from 'vitest';
import type { Bucket } from '../../../src/console/api-answers.ts';
import { html, render } from '../../../src/console/markup/markup.ts';
import { knownReasons, reasonClass, reasonText } from '../../../src/console/markup/reason.ts';
import {
  barsOf,
  beginningOf,
  changeText,
  lastDays,
  scaleEnd,
  spans,
} from '../../../src/console/pages/key/plot-scale.ts';
import { usePlot } from '../../../src/console/pages/key/use-plot.ts';
import { reasons } from '../../../src/schemes/answer.ts';

const [day, week, month] = spans as [(typeof spans)[0], (typeof spans)[0], (typeof spans)[0]];
const hour = 3_600_000;
const now = Date.parse('2026-11-28T13:39:05Z');

function bucket(hoursAgo: number, allowed: number, denied = {}, observed = {}): Bucket {
  const start = new Date((Math.floor(now / hour) - hoursAgo) * hour).toISOString();
  return { start: `${start.slice(0, 19)}Z`, allowed, denied, observed };
}

const plot = (buckets: readonly Bucket[], span = day) =>
  render(html`<div>${usePlot(buckets, span, now)}</div>`);

it('puts a day into hours until now, a week into hours of whole days, a month into days', () => {
  expect(spans.map((span) => new Date(beginningOf(span, now)).toISOString())).toEqual([
    '2026-11-27T14:00:00.000Z',
    '2026-11-22T00:00:00.000Z',
    '2026-10-30T00:00:00.000Z',
  ]);
  for (const { bars, labelEvery } of spans) expect(bars % labelEvery).toBe(0);
  const buckets = [bucket(0, 1), bucket(1, 2, { expired: 3 }), bucket(23, 4), bucket(24, 8)];

  const hours = barsOf(buckets, day, now);
  expect([hours.length, hours[0]?.allowed, hours[22]?.total, hours[23]?.total]).toEqual([24, 4, 5, 1]);
  expect(barsOf(buckets, week, now).filter(({ total }) => total > 0)).toHaveLength(4);
  const days = barsOf(buckets, month, now);
  expect(days.map(({ total }) => total).slice(-2)).toEqual([12, 6]);
  expect(days.at(-1)?.denied).toEqual({ expired: 3 });
});

it('ends its scale at a number that a person reads, at the most of a bar or above it', () => {
  for (const [most, end] of [
    [0, 1],
    [1, 1],
    [3, 5],
    [7, 10],
    [11, 20],
    [450, 500],
    [501, 1_000],
    [1_234_567, 2_000_000],
  ] as const) {
    expect([most, scaleEnd(most)]).toEqual([most, end]);
  }
  const shown = plot([bucket(0, 450)]);
  expect(shown).toContain('<span>500</span><span>250</span><span>0</span>');
  // 450 of 500 in 120.
  expect(shown).toContain('<rect class="allowed" x="185" y="12" width="6" height="108"');
});

it('compares the last day with the one before it, in words', () => {
  for (const [last, before, text] of [
    [10, 0, null],
    [10, 10, 'as many as'],
    [20, 10, '2.0 times as many as'],
    [112, 100, '12 % more than'],
    [50, 100, '50 % fewer than'],
    [9_999, 10_000, '1 % fewer than'],
    [2_000, 10, '200 times as many as'],
  ] as const) {
    expect([last, before, changeText(last, before)]).toEqual([last, before, text]);
  }
  const buckets = [bucket(0, 20), bucket(24, 9, { expired: 1 }), bucket(48, 99)];
  expect(lastDays(buckets, now)).toEqual({ last: 20, before: 10 });
  expect(plot(buckets)).toContain(
    '20 requests in the last 24 hours, <strong>2.0 times as many as</strong> in the 24 hours before (10)',
  );
});

it('gives each reason a colour that it has everywhere, whatever else is on the plot, and says it in words', () => {
  expect(knownReasons.toSorted()).toEqual([...reasons].toSorted());
  expect(new Set(reasons.map(reasonText)).size).toBe(reasons.length);
  expect(reasonClass('of_another_release')).toBe('reason-other');
  expect(reasonText('of_another_release')).toBe('Of another release');

  const alone = plot([bucket(0, 1, { rate_limited: 2 })]);
  const among = plot([bucket(0, 1, { rate_limited: 2, expired: 1, address_denied: 4 })]);
  for (const shown of [alone, among]) {
    expect(shown).toContain(
      '<span class="swatch reason-rate_limited"></span>Over its limit <strong>2</strong>',
    );
    expect(shown).toContain('<rect class="reason-rate_limited"');
  }
});

it('says above each bar what was counted in it, and has the same in a table, which observed requests are in by themselves', () => {
  const shown = plot([bucket(1, 12_000, { expired: 1 }, { rate_limited: 7 })]);

  expect(shown).toContain(
    '<title>28 Nov 12:00 UTC: Allowed 12,000, Expired 1, Observed: Over its limit 7</title>',
  );
  expect(shown).toContain('<title>28 Nov 13:00 UTC: no requests</title>');
  expect(shown.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')).toContain(
    'Hour Allowed Expired Observed: Over its limit 2026-11-28 12:00:00 UTC 12,000 1 7',
  );
  expect(plot([bucket(30, 1)], month)).toContain('<title>27 Nov: Allowed 1</title>');
});

it('says where there was nothing', () => {
  expect(plot([])).toContain('No requests in the last 24 hours.');
  expect(plot([])).not.toContain('<svg');
});
