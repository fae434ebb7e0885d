import { BlockList, isIPv4, isIPv6 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAllowed, parseNetwork } from '../../src/net/address.ts';

describe('an allowlist', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['198.51.100.50', '198.51.100.50', true],
    ['198.51.100.50', '198.51.100.51', false],
    ['198.51.100.50', '::ffff:198.51.100.50', true],
    ['::ffff:10.0.0.0/104', '10.9.8.7', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:DB8::1', '2001:db8:0:0:0:0:0:1', true],
    ['::/0', '10.0.0.1', true],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::1', '0.0.0.1', false],
    ['10.0.0.0/8', '', false],
    ['10.0.0.0/8', 'fe80::1%eth0', false],
    ['10.0.0.0/8', '010.0.0.1', false],
  ])('of %s lets %s in: %s', (entry, address, expected) => {
    expect(isAllowed([entry], address)).toBe(expected);
  });

  it.each([
    '',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.1/8',
    '10.0.0',
    '300.1.1.1',
    '::/129',
    '::1/64',
    'fe80::1%eth0',
    '10.0.0.0/8 ',
    'localhost',
    '10.0.0.0/8/8',
    ':::',
    '1:2:3:4:5:6:7:8:9',
  ])('does not take %j for an entry', (text) => {
    expect(parseNetwork(text)).toBeNull();
  });

  it("agrees with Node's own block list on random addresses", () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(address, address, fc.nat(128), (base, candidate, length) => {
        const family = isIPv6(base) ? 'ipv6' : 'ipv4';
        const bits = family === 'ipv4' ? length % 33 : length;
        const entry = firstOf(base, bits);
        if (entry === null) return;
        const peer = new BlockList();
        peer.addSubnet(base, bits, family);
        expect(isAllowed([`${base}/${bits}`], candidate)).toBe(
          peer.check(candidate, isIPv6(candidate) ? 'ipv6' : 'ipv4'),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it('of many entries lets in whom one of them lets in, in whatever order they are', () => {
    const near = fc
      .tuple(fc.constantFrom('10.0.0.', '10.0.1.', '::ffff:10.0.0.', '2001:db8::', '::'), fc.nat(255))
      .map(([start, end]) => `${start}${start.endsWith(':') ? end.toString(16) : end}`);
    const entries = fc
      .tuple(near, fc.nat(128))
      .map(([base, length]) => `${base}/${base.includes(':') ? length : length % 33}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(near, entries), { maxLength: 20 }), near, (allowlist, address) => {
        const expected = allowlist.some((entry) => isAllowed([entry], address));
        expect(isAllowed(allowlist, address)).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
  });

  it('takes for IPv4 what Node takes for it', () => {
    const texts = fc.array(
      fc.constantFrom('0', '1', '25', '255', '256', '01', '.', '.', '.', ' ', 'a', '::'),
      {
        maxLength: 9,
      },
    );
    fc.assert(
      fc.property(texts, (pieces) => {
        const text = pieces.join('');
        expect(isAllowed(['0.0.0.0/0'], text)).toBe(isIPv4(text) || isMapped(text));
      }),
      { numRuns: 5_000 },
    );
  });
});

function isMapped(text: string): boolean {
  const peer = new BlockList();
  peer.addSubnet('::ffff:0:0', 96, 'ipv6');
  return isIPv6(text) && peer.check(text, 'ipv6');
}

/** The entry, unless bits stand behind its prefix length. */
function firstOf(base: string, bits: number): string | null {
  return parseNetwork(`${base}/${bits}`) === null ? null : base;
}
