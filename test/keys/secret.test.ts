import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { base62, createDigester, mask, pepperOf, randomText, Secret } from '../../src/keys/secret.ts';

const pepper = (id: string) => ({ id, key: Buffer.alloc(32, id) });

describe('secret', () => {
  it('has no form that a log, a template or JSON could show', () => {
    const secret = new Secret('very secret text');
    expect(() => `${secret}`).toThrow(TypeError);
    expect(() => JSON.stringify({ secret })).toThrow(TypeError);
    expect(inspect({ secret })).not.toContain('very');
    expect(secret.reveal()).toBe('very secret text');
  });

  it('is digested by SHA-256 without a pepper', () => {
    const digest = Buffer.from(createDigester([]).sign('abc'), 'base64url').toString('hex');
    // FIPS 180-4's digest of "abc".
    expect(digest.match(/.{8}/g)).toEqual([
      'ba7816bf',
      '8f01cfea',
      '414140de',
      '5dae2223',
      'b00361a3',
      '96177a9c',
      'b410ff61',
      'f20015ad',
    ]);
  });

  it('is signed with the first pepper and found under every one, and under none', () => {
    const [old, both] = [createDigester([pepper('a')]), createDigester([pepper('b'), pepper('a')])];
    expect(pepperOf(both.sign('x'))).toBe('b');
    expect(both.candidates('x')).toEqual([both.sign('x'), old.sign('x'), createDigester([]).sign('x')]);
    expect(pepperOf(createDigester([]).sign('x'))).toBe('');
  });

  it('is drawn evenly from its alphabet', () => {
    const counts = new Map<string, number>();
    const draws = 62_000;
    for (const character of randomText(base62, draws))
      counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(62);
    // χ² with 61 degrees of freedom is past 130 less than once in a million runs.
    const expected = draws / 62;
    const chiSquare = [...counts.values()].reduce(
      (sum, count) => sum + (count - expected) ** 2 / expected,
      0,
    );
    expect(chiSquare).toBeLessThan(130);
  });

  it('shows its prefix with four characters, and its last four', () => {
    const secret = `ak_test_abcd${'-'.repeat(16)}mnop`;
    expect(mask(secret, 'ak_test_')).toEqual({ prefix: 'ak_test_abcd', last4: 'mnop' });
  });

  it('shows at most a third of what stands between its prefix and its checksum, and never more than eight', () => {
    for (let length = 0; length <= 60; length++) {
      for (const checksumLength of [0, 6, 11]) {
        const body = Array.from({ length }, (_, at) => String.fromCharCode(0x100 + at)).join('');
        const shown = mask(`k_${body}${'!'.repeat(checksumLength)}`, 'k_', checksumLength);
        const count = shown.prefix.length - 2 + shown.last4.length;
        expect(count).toBe(Math.min(8, Math.floor(length / 3)));
        expect(`k_${body}${'!'.repeat(checksumLength)}`.startsWith(shown.prefix)).toBe(true);
        expect(`k_${body}${'!'.repeat(checksumLength)}`.endsWith(shown.last4)).toBe(true);
      }
    }
    expect(mask('acme_live_Ab3dE7gh', 'acme_live_')).toEqual({ prefix: 'acme_live_A', last4: 'h' });
  });
});
