import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedCache, sparedMax } from '../../src/cache/bounded-cache.ts';

describe('a sieve', () => {
  it('forgets what was not asked for since the hand came by, and first what came first', () => {
    const forgotten: string[] = [];
    const sieve = new BoundedCache<string, number>(3, (key) => forgotten.push(key));
    for (const key of ['a', 'b', 'c']) sieve.set(key, 1);
    sieve.get('a');
    sieve.set('d', 1);
    expect(forgotten).toEqual(['b']);
    sieve.get('c');
    sieve.set('e', 1);
    expect(forgotten).toEqual(['b', 'd']);
    sieve.set('f', 1);
    expect(forgotten).toEqual(['b', 'd', 'e']);
    expect(['a', 'c', 'f'].map((key) => sieve.get(key))).toEqual([1, 1, 1]);
  });

  it('looks at a bounded number for one that comes, however many were asked for', () => {
    const size = 3 * sparedMax;
    const forgotten: number[] = [];
    const sieve = new BoundedCache<number, number>(size, (key) => forgotten.push(key));
    for (let key = 0; key < size; key++) sieve.set(key, key);
    for (let key = 0; key < size; key++) sieve.get(key);
    sieve.set(size, size);
    expect(forgotten).toEqual([sparedMax]);
    // It goes on where it was, and has spared those before.
    sieve.set(size + 1, size + 1);
    expect(forgotten).toEqual([sparedMax, 2 * sparedMax + 1]);
  });

  it('never holds more than its bound, and tells once of all that it holds no more', () => {
    const steps = fc.array(
      fc.tuple(fc.constantFrom('get', 'set', 'set', 'set', 'delete', 'clear'), fc.nat(9), fc.nat(3)),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), steps, (max, all) => {
        const held = new Map<number, number>();
        const sieve = new BoundedCache<number, number>(max, (key, value) => {
          expect(held.get(key)).toBe(value);
          held.delete(key);
        });
        for (const [step, key, value] of all) {
          if (step === 'get') expect(sieve.get(key)).toBe(held.get(key));
          else if (step === 'delete') sieve.delete(key);
          else if (step === 'clear') {
            sieve.clear();
            held.clear();
          } else {
            sieve.set(key, value);
            held.set(key, value);
          }
          expect(sieve.size).toBe(held.size);
          expect(sieve.size).toBeLessThanOrEqual(max);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
