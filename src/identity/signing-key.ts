import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

/** A public key as a JWKS has it (RFC 7517). */
export interface Jwk {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'ES256';
}

/** A key to sign with: its name, and PKCS #8 as PEM. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: string;
}

/** A new private key of P-256, PKCS #8 as PEM. */
export function makePrivateKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** The public half, named by its thumbprint (RFC 7638). Throws where it is no private key of P-256. */
export function jwkOf(privateKey: string): Jwk {
  const key: KeyObject = createPublicKey(createPrivateKey(privateKey));
  const { kty, crv, x, y } = key.export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined)
    throw new Error('expected a private key of P-256');
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return { kty, crv, x, y, kid, use: 'sig', alg: 'ES256' };
}

export function signingKeyOf(privateKey: string): SigningKey {
  return { kid: jwkOf(privateKey).kid, privateKey };
}
