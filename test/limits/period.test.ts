import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { neverMs, spanAt } from '../../src/limits/period.ts';

const at = (text: string) => Date.parse(text);
const shown = (per: Parameters<typeof spanAt>[0], anchor: string | null, now: string) => {
  const { start, end } = spanAt(per, anchor === null ? null : at(anchor), at(now));
  return [start, end].map((ms) => new Date(ms).toISOString().replace('.000Z', 'Z'));
};

describe('a period', () => {
  it('is one of the calendar in UTC where nothing else is said, a week from Monday', () => {
    expect(shown('day', null, '2028-02-29T13:00:00Z')).toEqual([
      '2028-02-29T00:00:00Z',
      '2028-03-01T00:00:00Z',
    ]);
    expect(shown('week', null, '2026-11-29T23:59:59Z')).toEqual([
      '2026-11-23T00:00:00Z',
      '2026-11-30T00:00:00Z',
    ]);
    expect(shown('week', null, '2026-11-30T00:00:00Z')).toEqual([
      '2026-11-30T00:00:00Z',
      '2026-12-07T00:00:00Z',
    ]);
    expect(shown('month', null, '2028-02-29T23:59:59Z')).toEqual([
      '2028-02-01T00:00:00Z',
      '2028-03-01T00:00:00Z',
    ]);
    expect(shown('month', null, '2026-12-31T00:00:00Z')).toEqual([
      '2026-12-01T00:00:00Z',
      '2027-01-01T00:00:00Z',
    ]);
  });

  it("runs from an owner's billing anchor: its time of day, its weekday, its day", () => {
    const anchor = '2026-01-15T09:30:00Z';
    expect(shown('day', anchor, '2026-05-05T09:29:59Z')).toEqual([
      '2026-05-04T09:30:00Z',
      '2026-05-05T09:30:00Z',
    ]);
    // A Thursday.
    expect(shown('week', anchor, '2026-05-05T00:00:00Z')).toEqual([
      '2026-04-30T09:30:00Z',
      '2026-05-07T09:30:00Z',
    ]);
    expect(shown('month', anchor, '2026-05-05T00:00:00Z')).toEqual([
      '2026-04-15T09:30:00Z',
      '2026-05-15T09:30:00Z',
    ]);
    // Before the anchor as after it.
    expect(shown('month', anchor, '2025-12-31T00:00:00Z')).toEqual([
      '2025-12-15T09:30:00Z',
      '2026-01-15T09:30:00Z',
    ]);
  });

  it.each([
    ['2026-02-10T00:00:00Z', '2026-01-31T00:00:00Z', '2026-02-28T00:00:00Z'],
    ['2026-02-28T00:00:00Z', '2026-02-28T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['2028-02-28T23:59:59Z', '2028-01-31T00:00:00Z', '2028-02-29T00:00:00Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00Z', '2028-03-31T00:00:00Z'],
    ['2026-04-30T12:00:00Z', '2026-04-30T00:00:00Z', '2026-05-31T00:00:00Z'],
  ])('of a month whose day there is not begins on the last day: at %s', (now, start, end) => {
    expect(shown('month', '2026-01-31T00:00:00Z', now)).toEqual([start, end]);
  });

  it('that is a total has no end, and a window knows no anchor', () => {
    expect(spanAt('total', at('2026-01-15T00:00:00Z'), Date.now())).toEqual({ start: 0, end: neverMs });
    expect(spanAt(60_000, at('2026-01-15T00:00:30Z'), 90_000)).toEqual({ start: 60_000, end: 120_000 });
  });

  it('holds its time, and the next begins where it ends', () => {
    const time = fc.integer({ min: 0, max: at('2200-01-01T00:00:00Z') });
    fc.assert(
      fc.property(
        fc.constantFrom('day' as const, 'week' as const, 'month' as const),
        fc.option(time),
        time,
        (per, anchor, now) => {
          const { start, end } = spanAt(per, anchor, now);
          expect(start <= now && now < end).toBe(true);
          expect(spanAt(per, anchor, end).start).toBe(end);
          expect(spanAt(per, anchor, end - 1)).toEqual({ start, end });
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
