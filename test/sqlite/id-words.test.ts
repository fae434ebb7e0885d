import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crockford, type KeyId } from '../../src/keys/key.ts';
import { parse, parsed, textOf } from '../../src/sqlite/usage/id-words.ts';

const digit = fc.constantFrom(...crockford);
const id = fc
  .tuple(fc.constantFrom(...'01234567'), fc.array(digit, { minLength: 25, maxLength: 25 }))
  .map(([first, rest]) => `key_${first}${rest.join('')}` as KeyId);

it('has every id that is made in numbers, which are sorted as their texts are', () => {
  fc.assert(
    fc.property(id, id, fc.nat(26), (one, other, alike) => {
      const near = (one.slice(0, 4 + alike) + other.slice(4 + alike)) as KeyId;
      const [left, right] = [numbersOf(one), numbersOf(near)];
      expect(textOf(left, 0)).toBe(one);
      expect(textOf(right, 0)).toBe(near);
      expect(compare(left, right)).toBe(one < near ? -1 : one > near ? 1 : 0);
    }),
  );
});

it('has no text in numbers that would come back as another one', () => {
  const made = 'key_01k0c6h3v8s9w2m4n5p7q8r9t1';
  expect(parse(made as KeyId)).toBe(true);
  const others = [`${made}0`, made.slice(0, -1), made.toUpperCase(), made.replace('key_', 'kex_')];
  for (const letter of 'ilouA-é') others.push(`${made.slice(0, -1)}${letter}`);
  for (const text of [...others, made.replace('key_0', 'key_8')]) expect(parse(text as KeyId)).toBe(false);
});

function numbersOf(key: KeyId): Int32Array {
  expect(parse(key)).toBe(true);
  return parsed.slice();
}

function compare(one: Int32Array, other: Int32Array): number {
  for (const [at, word] of one.entries()) {
    const difference = (word >>> 0) - ((other[at] as number) >>> 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}
