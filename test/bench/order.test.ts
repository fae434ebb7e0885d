import { expect, it } from 'vitest';
import { atRandom, byZipf, inOrder } from '../../bench/client/order.ts';

function drawn(next: () => number, draws: number): Map<number, number> {
  const counts = new Map<number, number>();
  for (let draw = 0; draw < draws; draw++) {
    const place = next();
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

it('gives every place of a part once, in order', () => {
  const { isOver, next } = inOrder(3, 6);
  const given: number[] = [];
  while (!isOver()) given.push(next());
  expect(given).toEqual([3, 4, 5]);
});

it('gives each place as often as another, and the same ones for a seed', () => {
  const counts = drawn(atRandom(10, 1), 10_000);
  expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(Math.min(...counts.values())).toBeGreaterThan(800);
  expect(drawn(atRandom(10, 1), 10_000)).toEqual(counts);
});

it("gives the first place twice as often as the second by Zipf's law, and the last now and then", () => {
  const counts = drawn(byZipf(100, 1), 100_000);
  const [first = 0, second = 0] = [counts.get(0), counts.get(1)];
  expect(first / second).toBeCloseTo(2, 0);
  // The sum of 1 / n up to 100 is 5.187.
  expect(first / 100_000).toBeCloseTo(1 / 5.187, 1);
  expect(counts.size).toBe(100);
});
