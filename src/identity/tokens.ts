import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { BoundedCache } from '../cache/bounded-cache.ts';
import type { Allowed } from '../check/authorize.ts';
import type { TokenHeader } from '../check/upstream.ts';
import type { KeyId } from '../keys/key.ts';
import type { SigningKey } from './signing-key.ts';

/** What the settings say of identity tokens. */
export interface IdentityTokenSettings {
  /** In lower case. */
  readonly header: string;
  readonly issuer: string;
  readonly audience: string | readonly string[] | null;
  readonly expiresInMs: number;
}

/** Tokens for the upstream, each made once per key and half of its life. */
export interface IdentityTokens {
  /** Null until there is a key to sign with. */
  tokenFor(allowed: Allowed): TokenHeader | null;
  /** Tokens are signed by this from now on; those that are out stay valid. */
  signBy(key: SigningKey): void;
}

/** Keys whose token is remembered: some hundred bytes each. */
const tokensMax = 100_000;

interface Made {
  readonly told: TokenHeader;
  readonly version: number;
  readonly plan: string | null;
  readonly permissions: readonly string[];
  /** Unix milliseconds. */
  readonly renewAt: number;
}

export function createIdentityTokens(settings: IdentityTokenSettings, now: () => number): IdentityTokens {
  const { header, issuer, audience, expiresInMs } = settings;
  const made = new BoundedCache<KeyId, Made>(tokensMax);
  let signer: { readonly key: KeyObject; readonly head: string } | null = null;

  return {
    signBy({ kid, privateKey }) {
      signer = { key: createPrivateKey(privateKey), head: encoded({ alg: 'ES256', typ: 'JWT', kid }) };
    },
    tokenFor({ key, permissions, plan }) {
      const at = now();
      const known = made.get(key.id);
      if (
        known !== undefined &&
        known.version === key.version &&
        known.plan === plan &&
        areSame(known.permissions, permissions) &&
        at < known.renewAt
      )
        return known.told;
      if (signer === null) return null;
      const { id, version, owner, scheme, environment } = key;
      const iat = Math.floor(at / 1_000);
      const claims = {
        ...{ iss: issuer, sub: id, ...(audience !== null && { aud: audience }) },
        ...{ iat, exp: iat + Math.ceil(expiresInMs / 1_000) },
        ...{ owner, scheme, environment, permissions, plan },
      };
      const text = `${signer.head}.${encoded(claims)}`;
      const signature = sign('sha256', Buffer.from(text), { key: signer.key, dsaEncoding: 'ieee-p1363' });
      const told: TokenHeader = [header, `${text}.${signature.toString('base64url')}`, null];
      made.set(id, { told, version, plan, permissions, renewAt: at + expiresInMs / 2 });
      return told;
    },
  };
}

/** Most often it is one list, which those who have the same share. */
function areSame(one: readonly string[], other: readonly string[]): boolean {
  if (one === other) return true;
  return one.length === other.length && one.every((permission, at) => permission === other[at]);
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
