import type { ImportedKey } from '../../changes/key-import.ts';
import { Failure, type FieldViolation } from '../../failure.ts';
import { noLimits } from '../../keys/limit.ts';
import type { Digester } from '../../keys/secret.ts';
import { hasNoPrefix, maskOf, type Prefix, placeName, recognise, type Scheme } from '../../schemes/scheme.ts';
import { limitsAsked } from '../admin-fields.ts';
import { type Call, ownerFor } from '../call.ts';
import type { FindHeldSecret } from '../held-secret.ts';
import { environmentViolation, knownByDigest, prefixShown } from '../keys/digest-terms.ts';
import type { KeyTerms } from '../keys/key-terms.ts';
import { unknownRole } from '../keys/known-roles.ts';
import { limitViolation, requireSharer } from '../keys/limit-terms.ts';
import type { RuleGuard } from '../keys/rule-guard.ts';
import { readInput } from '../read-input.ts';
import { type ImportedKeyInput, importedKeyInput } from './import-input.ts';

export interface ImportedKeysDependencies {
  readonly terms: KeyTerms;
  readonly rules: Pick<RuleGuard, 'defaultExpiry' | 'requireTerms'>;
  readonly digester: Digester;
  readonly findHeldSecret: FindHeldSecret;
}

/** Which roles there are, of those that the keys of a call name. */
export type KnownRoles = ReadonlySet<string>;

/** Reads one key of an import by the rules of CreateKey; answers what is wrong with it first where it is none. */
export type ReadImportedKey = (call: Call, input: unknown, roles: KnownRoles) => ImportedKey | FieldViolation;

export function isViolation(read: ImportedKey | FieldViolation): read is FieldViolation {
  return 'field' in read;
}

export function createImportedKeys({
  terms,
  rules,
  digester,
  findHeldSecret,
}: ImportedKeysDependencies): ReadImportedKey {
  return (call, input, known) => {
    try {
      return (
        findHeldSecret(input, ['secret']) ??
        ruled(importedKey(call, readInput(importedKeyInput, input), known), input)
      );
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // An owner out of reach is the one refusal that names no field.
      const [first = { field: 'owner', description: error.message }] = error.violations;
      return first;
    }
  };

  /** Null asks for no end; a row that says nothing of it gets what the rules say. */
  function ruled(key: ImportedKey | FieldViolation, input: unknown): ImportedKey | FieldViolation {
    if (isViolation(key)) return key;
    const isAsked = Object(input).expires_at !== undefined;
    const wanted = isAsked ? key : { ...key, expiresAt: rules.defaultExpiry(key) };
    rules.requireTerms({ ...wanted, createdAt: terms.now() });
    return wanted;
  }

  function importedKey(call: Call, input: ImportedKeyInput, known: KnownRoles): ImportedKey | FieldViolation {
    const unknown = input.roles?.find((role) => !known.has(role));
    if (unknown !== undefined) return unknownRole(unknown);
    const scheme = terms.schemeFor(input.scheme);
    const credential = credentialOf(input, scheme);
    if ('field' in credential) return credential;
    const owner = ownerFor(call, input.owner);
    const plan = terms.planFor(input.plan, scheme);
    const rateLimits = limitsAsked(input) ?? noLimits;
    const refused = limitViolation(call, { plan, rateLimits });
    if (refused !== null) return refused;
    requireSharer(rateLimits, owner);
    return {
      ...credential,
      name: input.name,
      scheme: scheme.name,
      owner,
      permissions: [...new Set(input.permissions ?? [])],
      roles: [...new Set(input.roles ?? [])],
      ipAllowlist: [...new Set(input.ip_allowlist ?? [])],
      principals: [...new Set(input.principals ?? [])],
      ...{ plan, rateLimits },
      labels: input.labels ?? {},
      externalId: input.external_id,
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
    const other = secret === null ? null : earlier(scheme, secret);
    if (other !== null) {
      const description = `has the form of the scheme ${other.name}, which Checks look for first: import it as one of its keys`;
      return { field: 'secret', description };
    }
    const has = environment ?? prefix?.environment ?? terms.environmentOf(scheme);
    const contradiction = environmentViolation(scheme, prefix, has);
    if (contradiction !== null) return contradiction;
    if (secret !== null) {
      const candidates = digester.candidates(secret);
      const masked = prefix === null ? { prefix: '', last4: '' } : maskOf(scheme, secret, prefix);
      return { digest: digester.sign(secret), candidates, environment: has, ...masked };
    }
    if (sha256 === null) throw new Error('unreachable: a key without a secret has its digest');
    const known = knownByDigest(scheme, sha256, shown, { begins: prefix, environment: has });
    return { ...known, candidates: [sha256], environment: has };
  }

  /** Of a key without a prefix, the scheme that its looks are those of; null where there is none. */
  function earlier(scheme: Scheme, secret: string): Scheme | null {
    if (!hasNoPrefix(scheme)) return null;
    const shared = terms.schemes().filter((other) => !hasNoPrefix(other) && sharesPlace(other, scheme));
    return shared.find((other) => recognise(other, secret) !== null) ?? null;
  }
}

function sharesPlace(one: Scheme, other: Scheme): boolean {
  const taken = new Set(one.places.map(placeName));
  return other.places.some((place) => taken.has(placeName(place)));
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
  return prefixShown(scheme, shown);
}
