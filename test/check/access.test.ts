import { describe, expect, it } from 'vitest';
import { refuse } from '../../src/check/access.ts';
import { keyRecord } from '../records.ts';

const terms = { environment: 'live', address: '192.0.2.7', permissions: [], cost: 1 };
const now = Date.UTC(2030, 5, 1);

describe('refuse', () => {
  it('allows a key that nothing speaks against', () => {
    expect(refuse(keyRecord(), null, terms, now)).toBeNull();
  });

  it.each([
    ['revoked', { revokedAt: 1, disabledAt: 1, expiresAt: 1, environment: 'test' }],
    ['disabled', { disabledAt: 1, expiresAt: 1, environment: 'test' }],
    ['expired', { expiresAt: now, environment: 'test', ipAllowlist: ['10.0.0.0/8'] }],
    ['wrong_environment', { environment: 'test', ipAllowlist: ['10.0.0.0/8'] }],
    ['address_denied', { ipAllowlist: ['10.0.0.0/8', '192.0.2.8'] }],
  ])('says %s first of all that speaks against it', (reason, record) => {
    const asked = { ...terms, permissions: ['read:things'] };
    expect(refuse(keyRecord(record), null, asked, now)).toBe(reason);
  });

  it('asks for every permission of the route, to the letter', () => {
    const asked = { ...terms, permissions: ['read:things', 'write:things'] };
    expect(refuse(keyRecord({ permissions: ['read:things'] }), null, asked, now)).toBe('permission_denied');
    expect(refuse(keyRecord({ permissions: ['READ:things', 'write:things'] }), null, asked, now)).toBe(
      'permission_denied',
    );
    expect(
      refuse(keyRecord({ permissions: ['write:things', 'read:things', 'x'] }), null, asked, now),
    ).toBeNull();
  });

  it('judges expiry to the millisecond', () => {
    expect(refuse(keyRecord({ expiresAt: now + 1 }), null, terms, now)).toBeNull();
    expect(refuse(keyRecord({ expiresAt: now }), null, terms, now)).toBe('expired');
  });
});
