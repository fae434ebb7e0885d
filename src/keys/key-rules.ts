import type { KeyRecord } from './key.ts';

/** What keys have to be, as the settings have it. Absent members ask for nothing. */
export interface KeyRule {
  /** Which keys it is about; absent members take all. */
  readonly match: {
    readonly scheme?: string;
    readonly environment?: string;
    /** Whether they have an owner. */
    readonly ownerBound?: boolean;
  };
  /** From when a key is made to its end. */
  readonly lifetimeMaxMs: number | null;
  /** Of a key for which nothing is asked. */
  readonly lifetimeDefaultMs: number | null;
  readonly allowlistRequired: boolean;
  /** Keys of one owner that the rule takes. */
  readonly keysPerOwnerMax: number | null;
}

/** What a rule looks at of a key. */
export type RuledKey = Pick<KeyRecord, 'scheme' | 'environment' | 'owner'>;

/** What of a key's own is against the rules. */
export type RuledField = 'expires_at' | 'ip_allowlist';

export interface Breach {
  readonly field: RuledField;
  readonly description: string;
}

export function rulesTaking(rules: readonly KeyRule[], key: RuledKey): readonly KeyRule[] {
  return rules.filter(
    ({ match: { scheme, environment, ownerBound } }) =>
      (scheme === undefined || scheme === key.scheme) &&
      (environment === undefined || environment === key.environment) &&
      (ownerBound === undefined || ownerBound === (key.owner !== null)),
  );
}

/** The longest life that these rules allow; null for any. */
export function lifetimeMaxOf(rules: readonly KeyRule[]): number | null {
  return narrowest(rules.map(({ lifetimeMaxMs }) => lifetimeMaxMs));
}

/** The life of a key for which none is asked, never longer than is allowed; null for no end. */
export function lifetimeDefaultOf(rules: readonly KeyRule[]): number | null {
  const chosen = narrowest(rules.map(({ lifetimeDefaultMs }) => lifetimeDefaultMs));
  return chosen === null ? null : narrowest([chosen, lifetimeMaxOf(rules)]);
}

/** What is wrong with a key, of these fields alone, by the rules that take it. */
export function breachesOf(
  rules: readonly KeyRule[],
  key: RuledKey & Pick<KeyRecord, 'createdAt' | 'expiresAt' | 'ipAllowlist'>,
  fields: readonly RuledField[] = ['expires_at', 'ip_allowlist'],
): Breach[] {
  const taking = rulesTaking(rules, key);
  const max = lifetimeMaxOf(taking);
  const lives = key.expiresAt === null ? Infinity : key.expiresAt - key.createdAt;
  const breaches: Breach[] = [];
  if (max !== null && lives > max) {
    const description = `a key of this kind lives ${lifeText(max)} at the most, from when it was made`;
    breaches.push({ field: 'expires_at', description });
  }
  if (key.ipAllowlist.length === 0 && taking.some(({ allowlistRequired }) => allowlistRequired)) {
    breaches.push({
      field: 'ip_allowlist',
      description: 'is required: a key of this kind is for named addresses alone',
    });
  }
  return breaches.filter(({ field }) => fields.includes(field));
}

/** As in `90d`, the largest unit that it is a whole number of. */
export function lifeText(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1_000],
  ] as const;
  const [unit, size] = units.find(([, length]) => ms % length === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

function narrowest(values: readonly (number | null)[]): number | null {
  const given = values.filter((value) => value !== null);
  return given.length === 0 ? null : Math.min(...given);
}
