import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createHeldKeys } from '../../src/cache/held-key.ts';
import { keyRecord } from '../records.ts';

it('holds to the millisecond when a key expires, whenever that is', () => {
  const hold = createHeldKeys();
  const latest = 8_640_000_000_000_000;
  const times = fc.oneof(
    fc.constantFrom(null, 0, -1, 1, 3_599_999, 3_600_000, -3_600_000, latest, -latest),
    fc.integer({ min: -latest, max: latest }),
  );
  fc.assert(
    fc.property(times, (expiresAt) => {
      expect(hold(keyRecord({ expiresAt })).expiresAt).toBe(expiresAt);
    }),
  );
});
