import { expect, it } from 'vitest';
import { fitFleet, fittedAt } from '../../bench/fleet/fit.ts';

const points = (of: (n: number) => number) => [10, 100, 300].map((n) => ({ n, value: of(n) }));

it('finds what grows with the fleet and what with its square', () => {
  const fit = fitFleet(points((n) => 0.002 * n + 0.00003 * n * n));
  expect(fit.linear).toBeCloseTo(0.002);
  expect(fit.square).toBeCloseTo(0.00003);
  expect(fit.error).toBeCloseTo(0);
  expect(fittedAt(fit, 1_000)).toBeCloseTo(32);
});

it('takes nothing for less than nothing, and says by how much it is off', () => {
  const slower = fitFleet(points((n) => 0.1 * Math.sqrt(n)));
  expect(slower.square).toBe(0);
  expect(slower.linear).toBeGreaterThan(0);
  expect(slower.error).toBeGreaterThan(0.2);
  const faster = fitFleet(points((n) => n ** 3));
  expect(faster.linear).toBe(0);
});

it('takes what one fleet costs for the price of each replica', () => {
  expect(fitFleet([{ n: 10, value: 0.5 }])).toEqual({ linear: 0.05, square: 0, error: 0 });
});
