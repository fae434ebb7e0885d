import type { ImportedKey } from '../changes/key-import.ts';
import { Failure, type FieldViolation } from '../failure.ts';
import { type Digester, mask } from '../keys/secret.ts';
import { type Prefix, recognise, type Scheme } from '../schemes/scheme.ts';
import { readInput } from './admin-input.ts';
import { type Call, ownerFor } from './call.ts';
import { type ImportedKeyInput, importedKeyInput } from './import-input.ts';
import type { KeyTerms } from './key-terms.ts';

export interface ImportedKeysDependencies {
  readonly terms: KeyTerms;
  readonly digester: Digester;
}

/** Reads one key of an import by the rules of CreateKey; answers what is wrong with it first where it is none. */
export type ReadImportedKey = (call: Call, input: unknown) => ImportedKey | FieldViolation;

export function isViolation(read: ImportedKey | FieldViolation): read is FieldViolation {
  return 'field' in read;
}

export function createImportedKeys({ terms, digester }: ImportedKeysDependencies): ReadImportedKey {
  return (call, input) => {
    try {
      return importedKey(call, readInput(importedKeyInput, input));
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // An owner out of reach is the one refusal that names no field.
      const [first = { field: 'owner', description: error.message }] = error.violations;
      return first;
    }
  };

  function importedKey(call: Call, input: ImportedKeyInput): ImportedKey | FieldViolation {
    const scheme = terms.schemeFor(input.scheme);
    const credential = credentialOf(input, scheme);
    if ('field' in credential) return credential;
    return {
      ...credential,
      name: input.name,
      scheme: scheme.name,
      owner: ownerFor(call, input.owner),
      permissions: [...new Set(input.permissions ?? [])],
      ipAllowlist: [...new Set(input.ip_allowlist ?? [])],
      plan: terms.planFor(input.plan, scheme),
      rateLimit: input.rate_limit,
      labels: input.labels ?? {},
      expiresAt: input.expires_at,
      isDisabled: input.disabled,
    };
  }

  function credentialOf(
    { secret, sha256, environment, ...shown }: ImportedKeyInput,
    scheme: Scheme,
  ): Pick<ImportedKey, 'digest' | 'candidates' | 'environment' | 'prefix' | 'last4'> | FieldViolation {
    const prefix = prefixIn(scheme, secret, shown.prefix);
    if (prefix !== null && 'field' in prefix) return prefix;
    const has = environment ?? prefix?.environment ?? terms.environmentOf(scheme);
    const contradiction = environmentViolation(scheme, prefix, has);
    if (contradiction !== null) return contradiction;
    if (secret !== null) {
      const candidates = digester.candidates(secret);
      const masked = mask(secret, prefix?.text ?? '');
      return { digest: digester.sign(secret), candidates, environment: has, ...masked };
    }
    if (sha256 === null) throw new Error('unreachable: a key without a secret has its digest');
    const text = shown.prefix ?? scheme.prefixes.find((one) => one.environment === has)?.text ?? '';
    const { last4 } = shown;
    return { digest: sha256, candidates: [sha256], environment: has, prefix: text, last4: last4 ?? '' };
  }
}

/** The scheme's prefix that the key begins with, as far as is known: null for a digest of which nothing is shown. */
function prefixIn(
  scheme: Scheme,
  secret: string | null,
  shown: string | null,
): Prefix | FieldViolation | null {
  if (secret !== null) {
    const description = `has not the form of the scheme ${scheme.name}: no Check would ever accept it`;
    return recognise(scheme, secret) ?? { field: 'secret', description };
  }
  if (shown === null) return null;
  const description = `is not how a key of the scheme ${scheme.name} begins: no Check would ever accept it`;
  return scheme.prefixes.find(({ text }) => shown.startsWith(text)) ?? { field: 'prefix', description };
}

function environmentViolation(
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
