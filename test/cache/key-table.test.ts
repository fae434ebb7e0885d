import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedCache, sparedMax } from '../../src/cache/bounded-cache.ts';
import { HashedSlots } from '../../src/cache/hashed-slots.ts';
import { KeyTable } from '../../src/cache/key-table.ts';
import { createSharedTerms } from '../../src/cache/shared-terms.ts';
import type { KeyId, KeyRecord } from '../../src/keys/key.ts';
import { createDigester } from '../../src/keys/secret.ts';
import { digestOf, keyRecord } from '../records.ts';

const peppered = createDigester([{ id: 'p1', key: Buffer.alloc(32) }]);

describe('a key table', () => {
  it('holds, evicts and forgets by id what a sieve by digest would', () => {
    const step = fc.constantFrom('get', 'get', 'set', 'set', 'set', 'forget', 'clear');
    const steps = fc.array(fc.tuple(step, fc.nat(12), fc.nat(4)), { maxLength: 200 });
    const digests = Array.from({ length: 13 }, (_, at) =>
      at % 2 === 0 ? digestOf(`secret ${at}`) : peppered.sign(`secret ${at}`),
    );
    const ids = Array.from({ length: 5 }, (_, at) => `key_${at}` as KeyId);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), steps, (max, all) => {
        const table = new KeyTable(max, createSharedTerms());
        const held = new Map<string, { readonly id: KeyId }>();
        const sieve = new BoundedCache<string, { readonly id: KeyId }>(max, (digest) => held.delete(digest));
        for (const [what, at, idAt] of all) {
          const [digest, id] = [digests[at] ?? digestOf(''), ids[idAt] ?? ('' as KeyId)];
          if (what === 'get') expect(table.get(digest)?.id).toBe(sieve.get(digest)?.id);
          else if (what === 'set') {
            const value = keyRecord({ id });
            table.set(digest, value);
            // One that comes again is the newest.
            sieve.delete(digest);
            sieve.set(digest, value);
            held.set(digest, value);
          } else if (what === 'forget') {
            table.forget(id);
            for (const [known, value] of [...held]) if (value.id === id) sieve.delete(known);
          } else {
            table.clear();
            sieve.clear();
            held.clear();
          }
          expect(table.size).toBe(sieve.size);
        }
        for (const digest of digests) expect(table.get(digest)?.id).toBe(sieve.get(digest)?.id);
      }),
      { numRuns: 1_000 },
    );
  });

  it('finds each of many, and after half of them were forgotten the other half alone', () => {
    const table = new KeyTable(20_000, createSharedTerms());
    const keys = Array.from({ length: 20_000 }, (_, at) => ({
      digest: digestOf(`${at}`),
      value: keyRecord({ id: `key_${at}` as KeyId }),
    }));
    for (const { digest, value } of keys) table.set(digest, value);
    for (const { digest, value } of keys) expect(table.get(digest)?.id).toBe(value.id);
    expect(table.get(digestOf('another'))).toBeUndefined();
    for (const [at, { value }] of keys.entries()) if (at % 2 === 0) table.forget(value.id);
    for (const [at, { digest, value }] of keys.entries())
      expect(table.get(digest)?.id).toBe(at % 2 === 0 ? undefined : value.id);
    expect(table.size).toBe(10_000);
  });

  it('looks at a bounded number for one that comes, as a sieve does', () => {
    const size = 2 * sparedMax;
    const table = new KeyTable(size, createSharedTerms());
    const digests = Array.from({ length: size }, (_, at) => digestOf(`${at}`));
    for (const [at, digest] of digests.entries()) table.set(digest, keyOf(`${at}`));
    for (const digest of digests) table.get(digest);
    table.set(digestOf('another'), keyOf('another'));
    const gone = digests.flatMap((digest, at) => (table.get(digest) === undefined ? [at] : []));
    expect([gone, table.size]).toEqual([[sparedMax], size]);
  });

  it('evicts of very many what a sieve does', () => {
    const max = 6_000;
    const table = new KeyTable(max, createSharedTerms());
    const held = new Set<string>();
    const sieve = new BoundedCache<string, { readonly id: KeyId }>(max, (digest) => held.delete(digest));
    const digests = Array.from({ length: 3 * max }, (_, at) => digestOf(`${at}`));
    for (const [at, digest] of digests.entries()) {
      const value = keyOf(`${at}`);
      table.set(digest, value);
      sieve.set(digest, value);
      held.add(digest);
      const asked = digests[Math.floor(at / 3)] ?? digest;
      expect(sieve.get(asked)?.id).toBe(table.get(asked)?.id);
    }
    expect([sieve.size, held.size]).toEqual([max, max]);
    expect(digests.filter((digest) => sieve.get(digest)?.id !== table.get(digest)?.id)).toEqual([]);
    const ids = [...sieve.values()].map(({ id }) => Number(id.slice(4)));
    expect(ids).toEqual(ids.toSorted((one, other) => one - other));
  });

  it('tells digests apart that differ in their last bits alone', () => {
    const table = new KeyTable(10, createSharedTerms());
    const digest = digestOf('one');
    table.set(digest, keyOf('1'));
    const other = (digest.slice(0, -1) + (digest.endsWith('A') ? 'E' : 'A')) as typeof digest;
    expect(table.get(digest)).toBeDefined();
    expect(table.get(other)).toBeUndefined();
  });
});

function keyOf(id: string): KeyRecord {
  return keyRecord({ id: `key_${id}` as KeyId });
}

describe('a table of hashed slots', () => {
  it('finds every slot that was added and not removed, whatever their hashes have in common', () => {
    // Few hashes in one shard, at the end of its places and at their beginning.
    const hash = fc.constantFrom(0, 1, 2, 14, 15, 16, 31, 47, 64, 127);
    fc.assert(
      fc.property(fc.array(fc.tuple(hash, fc.boolean()), { maxLength: 120 }), (all) => {
        const slots = new HashedSlots((slot) => all[slot]?.[0] ?? -1);
        const held = new Map<number, number>();
        for (const [slot, [given, removesOne]] of all.entries()) {
          slots.add(given, slot);
          held.set(slot, given);
          const [oldest] = held;
          if (removesOne && oldest !== undefined) {
            slots.remove(oldest[1], oldest[0]);
            held.delete(oldest[0]);
          }
          for (let each = 0; each <= slot; each++) {
            const expected = held.has(each) ? each : -1;
            expect(slots.find(all[each]?.[0] ?? -1, (found) => found === each)).toBe(expected);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('finds each of very many, be their hashes all different, alike in their first bits, or all the same', () => {
    const count = 3_000;
    const hashes = [
      (slot: number) => Math.imul(slot, 0x9e37_79b1),
      (slot: number) => -1 - slot,
      (slot: number) => slot % 3,
    ];
    for (const hashOf of hashes) {
      const slots = new HashedSlots(hashOf);
      for (let slot = 0; slot < count; slot++) slots.add(hashOf(slot), slot);
      for (let slot = 0; slot < count; slot += 2) slots.remove(hashOf(slot), slot);
      const found = Array.from({ length: count }, (_, slot) =>
        slots.find(hashOf(slot), (one) => one === slot),
      );
      expect(found).toEqual(found.map((_, slot) => (slot % 2 === 0 ? -1 : slot)));
    }
  });
});
