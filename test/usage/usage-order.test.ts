import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { batchesInOrder } from '../../src/usage/usage-order.ts';

const placeOf = (at: number) => ({
  key: `key_${String((at * 7_919) % 10_007).padStart(6, '0')}` as KeyId,
  hour: 0,
});

it('a large batch is made in turns, so that whoever answers Checks goes on meanwhile', async () => {
  const places = Array.from({ length: 10_000 }, (_, at) => placeOf(at));
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  const batches = batchesInOrder([places], 5_000, ({ key }) => key);
  const found: KeyId[] = [];
  setImmediate(count);
  for await (const batch of batches) found.push(...batch);
  isOver = true;
  expect(found).toEqual(places.map(({ key }) => key).sort());
  // To sort them ten, and to make the two batches as many again.
  expect(turns).toBeGreaterThanOrEqual(25);
});
