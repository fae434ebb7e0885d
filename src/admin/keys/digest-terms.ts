import type { FieldViolation } from '../../failure.ts';
import type { KeyRecord } from '../../keys/key.ts';
import { type Digest, narrowMask } from '../../keys/secret.ts';
import type { Prefix, Scheme } from '../../schemes/scheme.ts';

/** What a caller shows of a key of which it gives the digest alone. */
export interface ShownOfDigest {
  readonly prefix: string | null;
  readonly last4: string | null;
}

/** The scheme's prefix that the shown beginning has; null where nothing is shown. */
export function prefixShown(scheme: Scheme, shown: string | null): Prefix | FieldViolation | null {
  if (shown === null) return null;
  const description = `is not how a key of the scheme ${scheme.name} begins: no Check would ever accept it`;
  return scheme.prefixes.find(({ text }) => shown.startsWith(text)) ?? { field: 'prefix', description };
}

/** What is wrong with an environment for a key that begins so; null where nothing is. */
export function environmentViolation(
  { name, prefixes }: Scheme,
  prefix: Prefix | null,
  environment: string,
): FieldViolation | null {
  if (prefix !== null && prefix.environment !== environment) {
    const description = `the key begins as one for ${prefix.environment} does`;
    return { field: 'environment', description };
  }
  if (prefixes.some((known) => known.environment === environment)) return null;
  const known = prefixes.map((one) => one.environment).join(', ');
  return { field: 'environment', description: `the scheme ${name} has keys for: ${known}` };
}

/** What a key is for, and the scheme's prefix that its shown beginning has: null where nothing is shown. */
export interface BeginningOfDigest {
  readonly begins: Prefix | null;
  readonly environment: string;
}

/** What is kept of a key of which the digest alone is known. */
export function knownByDigest(
  scheme: Scheme,
  digest: Digest,
  { prefix, last4 }: ShownOfDigest,
  { begins, environment }: BeginningOfDigest,
): Pick<KeyRecord, 'digest' | 'prefix' | 'last4'> {
  const own = begins ?? scheme.prefixes.find((one) => one.environment === environment);
  const given = { prefix: prefix ?? own?.text ?? '', last4: last4 ?? '' };
  // How long the secret is, nobody knows: no shorter than the scheme takes.
  return { digest, ...narrowMask(given, own?.text ?? '', scheme.bodyLengthMin) };
}
