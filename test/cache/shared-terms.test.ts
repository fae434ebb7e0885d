import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { KeyId } from '../../src/keys/key.ts';
import { createHold, keyRecord } from '../records.ts';

it('holds to the millisecond when a key expires, whenever that is', () => {
  const hold = createHold();
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

it('tells keys apart that have all their lists in common', () => {
  const hold = createHold();
  const alike = keyRecord();
  const others = [
    ...[
      { environment: 'test' },
      { scheme: 'another' },
      { plan: 'free' },
      { disabledAt: 1 },
      { revokedAt: 1 },
    ],
    ...[{ version: 2 }, { permissions: ['other'] }, { roles: ['r'] }, { ipAllowlist: ['::1'] }],
    ...[{ principals: ['p'] }, { labels: { of: 'another' } }, { name: 'other' }, { owner: 'other' }],
    ...[{ rateLimits: [{ name: 'a', limit: 1, per: 1_000, sharedBy: 'key' } as const] }, { expiresAt: 5 }],
    { spender: 'key_00000000000000000000000000' as KeyId },
  ];
  for (const other of others) {
    expect(hold(alike)).toMatchObject({ id: alike.id, version: alike.version, spender: alike.id });
    const held = hold({ ...alike, ...other });
    for (const [member, value] of Object.entries(other))
      expect(held[member as keyof typeof other]).toEqual(value);
  }
});
