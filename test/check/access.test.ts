import { describe, expect, it } from 'vitest';
import { type AccessTerms, refuse } from '../../src/check/access.ts';
import type { KeyRecord } from '../../src/keys/key.ts';
import { keyRecord } from '../records.ts';

const terms = { environment: 'live', address: '192.0.2.7', permissions: [], cost: 1 };
const now = Date.UTC(2030, 5, 1);

function refusal(key: KeyRecord, asked: AccessTerms, at: number) {
  const caller = { principal: 'api.example' };
  return refuse(key, { owner: null, permissions: key.permissions }, asked, caller, at);
}

describe('refuse', () => {
  it('allows a key that nothing speaks against', () => {
    expect(refusal(keyRecord(), terms, now)).toBeNull();
  });

  it.each([
    ['revoked', { revokedAt: 1, disabledAt: 1, expiresAt: 1, environment: 'test' }],
    ['disabled', { disabledAt: 1, expiresAt: 1, environment: 'test' }],
    ['expired', { expiresAt: now, environment: 'test', ipAllowlist: ['10.0.0.0/8'] }],
    ['wrong_environment', { environment: 'test', ipAllowlist: ['10.0.0.0/8'] }],
    ['address_denied', { ipAllowlist: ['10.0.0.0/8', '192.0.2.8'], principals: ['other.example'] }],
    ['principal_denied', { principals: ['other.example', 'spiffe://other/*'] }],
  ])('says %s first of all that speaks against it', (reason, record) => {
    const asked = { ...terms, permissions: ['read:things'] };
    expect(refusal(keyRecord(record), asked, now)).toBe(reason);
  });

  it('asks for every permission of the route, to the letter', () => {
    const asked = { ...terms, permissions: ['read:things', 'write:things'] };
    expect(refusal(keyRecord({ permissions: ['read:things'] }), asked, now)).toBe('permission_denied');
    expect(refusal(keyRecord({ permissions: ['READ:things', 'write:things'] }), asked, now)).toBe(
      'permission_denied',
    );
    expect(refusal(keyRecord({ permissions: ['write:things', 'read:things', 'x'] }), asked, now)).toBeNull();
  });

  it('reads whom a certificate names only for a key that asks for it', () => {
    const caller = {
      get principal(): string {
        throw new Error('was read');
      },
    };
    const standing = { owner: null, permissions: [] };
    expect(refuse(keyRecord(), standing, terms, caller, now)).toBeNull();
    expect(() => refuse(keyRecord({ principals: ['a'] }), standing, terms, caller, now)).toThrow('was read');
  });

  it('judges expiry to the millisecond', () => {
    expect(refusal(keyRecord({ expiresAt: now + 1 }), terms, now)).toBeNull();
    expect(refusal(keyRecord({ expiresAt: now }), terms, now)).toBe('expired');
  });
});
