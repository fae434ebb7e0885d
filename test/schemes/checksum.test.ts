import { describe, expect, it } from 'vitest';
import { base62 } from '../../src/keys/secret.ts';
import { crc32Checksum, createHmacChecksum } from '../../src/schemes/checksum.ts';

const key = (id: string) => ({ id, key: Buffer.alloc(32, id) });

describe('a checksum', () => {
  it('of CRC-32 has six characters, padded on the left', () => {
    expect(crc32Checksum.make('')).toBe('000000');
    // CRC-32's check value.
    expect(numberOf(crc32Checksum.make('123456789'))).toBe(0xcbf43926);
    expect(crc32Checksum.matches('123456789', crc32Checksum.make('123456789'))).toBe(true);
    expect(crc32Checksum.matches('123456780', crc32Checksum.make('123456789'))).toBe(false);
  });

  it('of HMAC is made with the first key and verified with every one', () => {
    const [old, both, other] = [
      createHmacChecksum([key('a')]),
      createHmacChecksum([key('b'), key('a')]),
      createHmacChecksum([key('c')]),
    ];
    const made = old.make('a key');
    expect(made).toHaveLength(old.length);
    expect(both.matches('a key', made)).toBe(true);
    expect(both.make('a key')).not.toBe(made);
    expect(other.matches('a key', made)).toBe(false);
    expect(both.matches('a kez', made)).toBe(false);
    expect(both.matches('a key', `${made}0`)).toBe(false);
  });
});

function numberOf(digits: string): number {
  return [...digits].reduce((value, digit) => value * 62 + base62.indexOf(digit), 0);
}
