import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHistogram } from '../../bench/client/histogram.ts';

it('gives quantiles that are never too low, and too high by 1.6 % at most', () => {
  const micros = fc.array(fc.integer({ min: 0, max: 2 ** 26 - 1 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(micros, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, fraction) => {
      const histogram = createHistogram();
      for (const value of values) histogram.record(value);
      const exact = values.toSorted((a, b) => a - b)[Math.ceil(values.length * fraction) - 1] ?? 0;
      const quantile = histogram.quantile(fraction);
      expect(quantile).toBeGreaterThanOrEqual(exact);
      expect(quantile).toBeLessThanOrEqual(exact * 1.016);
    }),
  );
});

it('counts what is longer than its range as the end of it', () => {
  const histogram = createHistogram();
  histogram.record(2 ** 40);
  expect(histogram.quantile(1)).toBe(2 ** 26 - 1);
});

it('knows no quantile of nothing, nor of what was cleared', () => {
  const histogram = createHistogram();
  expect(histogram.quantile(0.5)).toBeNaN();
  histogram.record(5);
  histogram.clear();
  expect(histogram.quantile(0.5)).toBeNaN();
});
