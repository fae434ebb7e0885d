import { expect, it } from 'vitest';
import { createRequestCap } from '../../src/store/usage/request-cap.ts';

it('tells what it removed once a minute, all together, and removes no more at a time than a minute has', async () => {
  let [stored, now] = [100_000, 0];
  const told: number[] = [];
  const cap = createRequestCap(
    {
      count: () => stored,
      removeOldest(rows) {
        stored -= rows;
        return rows;
      },
    },
    () => now,
    { requestRowsMax: 50_000, onRequestsRemoved: (rows) => told.push(rows) },
  );

  await cap.wrote(1);
  expect([stored, told]).toEqual([80_000, [20_000]]);
  await cap.wrote(999);
  expect(stored).toBe(80_000);
  await cap.wrote(1);
  await cap.wrote(1_000);
  expect([stored, told]).toEqual([50_000, [20_000]]);

  now += 60_000;
  stored += 7;
  await cap.wrote(1);
  expect([stored, told]).toEqual([50_000, [20_000, 30_007]]);
});

it('a store that fails at it takes the rows all the same, and is asked again', async () => {
  const errors: unknown[] = [];
  const broken = new Error('away');
  const cap = createRequestCap({ count: () => Promise.reject(broken), removeOldest: () => 0 }, () => 0, {
    requestRowsMax: 50,
    onBackgroundError: (error) => errors.push(error),
  });
  await cap.wrote(1);
  await cap.wrote(1);
  expect(errors).toEqual([broken, broken]);
});
