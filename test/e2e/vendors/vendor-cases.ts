import { expect } from 'vitest';

/** Why a Check denies; every reason of the contract. */
export type Reason = keyof typeof statuses;

/** What a vendor documents of its keys, written from its page and from nothing of ours. */
export interface Vendor {
  readonly scheme: 'mavera' | 'powerverse' | 'converra' | 'modelriver' | 'mira';
  /** Lower case. */
  readonly header: 'authorization' | 'x-api-key';
  readonly word: 'Bearer' | null;
  readonly prefixes: Readonly<Record<string, 'live' | 'test'>>;
  /** What may follow the prefix. */
  readonly accepted: { readonly characters: string; readonly min: number; readonly max: number | null };
  /** What follows the prefix of a new key. */
  readonly minted: RegExp;
  readonly challenge: string;
  /** The members of a key that its list shows. */
  readonly listed: readonly string[];
  /** What the caller reads, by reason; the status is the contract's unless one stands here. */
  readonly bodies: (facts: Facts) => Readonly<Record<Reason, unknown>>;
}

/** What a body may repeat of the request and the key. */
export interface Facts {
  readonly expired_at?: string;
  readonly client_ip?: string;
  readonly allowed_ips?: readonly string[];
  readonly required?: readonly string[];
}

export const statuses = {
  missing: 401,
  ambiguous: 401,
  malformed: 401,
  unknown: 401,
  wrong_environment: 401,
  revoked: 401,
  disabled: 401,
  expired: 401,
  owner_inactive: 402,
  address_denied: 403,
  permission_denied: 403,
  rate_limited: 429,
  unavailable: 503,
} as const;

export const reasons = Object.keys(statuses) as Reason[];

/** Words that the vendor leaves to us: any, but some. */
const ours = expect.stringMatching(/\S/);

const digits = '0123456789';
const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const letters = upper + upper.toLowerCase();
const base62 = digits + letters;

export const mavera: Vendor = {
  scheme: 'mavera',
  header: 'authorization',
  word: 'Bearer',
  prefixes: { mvra_live_: 'live' },
  // "Length: 32+ characters total", of which the prefix is 10.
  accepted: { characters: base62, min: 22, max: null },
  minted: /^[0-9A-Za-z]{32}$/,
  challenge: 'Bearer realm="mavera"',
  listed: ['name', 'created_at', 'last_used_at', 'last4'],
  bodies() {
    const error = (type: unknown, code: unknown, message: unknown) => ({
      error: { message, type, code, param: null },
    });
    const invalid = error(
      'authentication_error',
      'invalid_api_key',
      "Invalid API key. Ensure your key starts with 'mvra_live_' and has not been revoked.",
    );
    const revoked = error('authentication_error', 'revoked_api_key', 'Key has been revoked');
    return {
      missing: error('authentication_error', 'missing_api_key', 'No Authorization header provided'),
      ambiguous: invalid,
      malformed: invalid,
      unknown: invalid,
      wrong_environment: invalid,
      revoked,
      disabled: revoked,
      expired: error('authentication_error', 'expired_api_key', 'Key has expired'),
      owner_inactive: error('billing_error', 'subscription_inactive', ours),
      address_denied: error(ours, ours, ours),
      permission_denied: error(ours, ours, ours),
      rate_limited: error(ours, ours, ours),
      unavailable: error(ours, ours, ours),
    };
  },
};

export const powerverse: Vendor = {
  scheme: 'powerverse',
  header: 'x-api-key',
  word: null,
  prefixes: { ak_live_: 'live', ak_test_: 'test' },
  accepted: { characters: base62, min: 20, max: null },
  minted: /^[0-9A-Za-z]{32}$/,
  challenge: 'ApiKey realm="powerverse"',
  listed: ['id', 'name', 'prefix', 'permissions', 'created_at', 'last_used_at', 'expires_at'],
  bodies({ expired_at, client_ip, allowed_ips, required }) {
    const error = (code: unknown, message: unknown, details?: unknown) => ({
      error: { code, message, ...(details !== undefined && { details }) },
    });
    const invalid = error('INVALID_API_KEY', 'The provided API key is invalid');
    return {
      missing: error('MISSING_API_KEY', ours),
      ambiguous: invalid,
      malformed: invalid,
      unknown: invalid,
      wrong_environment: invalid,
      revoked: invalid,
      disabled: invalid,
      expired: error('API_KEY_EXPIRED', 'This API key has expired', { expired_at }),
      owner_inactive: error(ours, ours),
      address_denied: error('IP_NOT_ALLOWED', 'Request from this IP address is not allowed', {
        client_ip,
        allowed_ips,
      }),
      permission_denied: error('INSUFFICIENT_PERMISSIONS', ours, { required }),
      rate_limited: error(ours, ours),
      unavailable: error(ours, ours),
    };
  },
};

export const converra: Vendor = {
  scheme: 'converra',
  header: 'authorization',
  word: 'Bearer',
  prefixes: { sk_live_: 'live', sk_test_: 'test' },
  accepted: { characters: `${base62}_`, min: 16, max: null },
  minted: /^[0-9A-Za-z]{32}$/,
  challenge: 'Bearer realm="converra"',
  listed: ['name'],
  bodies() {
    const error = (code: unknown, message: unknown) => ({ error: { code, message } });
    const invalid = error('UNAUTHORIZED', 'Invalid API key');
    return {
      missing: error('UNAUTHORIZED', 'Authorization header required'),
      ambiguous: invalid,
      malformed: invalid,
      unknown: invalid,
      wrong_environment: invalid,
      revoked: invalid,
      disabled: invalid,
      expired: error('UNAUTHORIZED', 'API key has expired'),
      owner_inactive: error(ours, ours),
      address_denied: error(ours, ours),
      permission_denied: error(ours, ours),
      rate_limited: error('RATE_LIMITED', ours),
      unavailable: error(ours, ours),
    };
  },
};

export const modelriver: Vendor = {
  scheme: 'modelriver',
  header: 'authorization',
  word: 'Bearer',
  prefixes: { mr_live_: 'live' },
  accepted: { characters: `${base62}_-`, min: 16, max: null },
  minted: /^[0-9A-Za-z]{43}$/,
  challenge: 'Bearer realm="modelriver"',
  listed: ['name', 'expires_at'],
  bodies: defaultBodies,
};

export const mira: Vendor = {
  scheme: 'mira',
  header: 'authorization',
  word: 'Bearer',
  prefixes: { 'sk-mira-': 'live' },
  accepted: { characters: `${digits}abcdef`, min: 40, max: 40 },
  minted: /^[0-9a-f]{40}$/,
  challenge: 'Bearer realm="mira"',
  listed: ['name'],
  bodies: defaultBodies,
};

export const vendors = [mavera, powerverse, converra, modelriver, mira] as const;

/** The contract's own body, for vendors that document a status and no body. */
function defaultBodies(): Readonly<Record<Reason, unknown>> {
  const error = (code: string) => ({ error: { code, message: ours } });
  const invalid = error('invalid_api_key');
  return {
    missing: error('missing_api_key'),
    ambiguous: invalid,
    malformed: invalid,
    unknown: invalid,
    wrong_environment: invalid,
    revoked: error('revoked_api_key'),
    disabled: error('disabled_api_key'),
    expired: error('expired_api_key'),
    owner_inactive: error('subscription_inactive'),
    address_denied: error('ip_not_allowed'),
    permission_denied: error('insufficient_permissions'),
    rate_limited: error('rate_limited'),
    unavailable: error('unavailable'),
  };
}

/** A text that has the form of the vendor's keys, of the shortest length unless another is given. */
export function keyText(vendor: Vendor, environment: 'live' | 'test' = 'live', length = vendor.accepted.min) {
  const { characters } = vendor.accepted;
  const body = Array.from({ length }, (_, at) => characters.charAt((at * 7 + 3) % characters.length));
  return prefixFor(vendor, environment) + body.join('');
}

/** The prefix of keys for that environment, or of live keys where there is none. */
export function prefixFor({ prefixes }: Vendor, environment: 'live' | 'test'): string {
  const known = Object.entries(prefixes);
  const [prefix] = known.find(([, name]) => name === environment) ?? known[0] ?? [''];
  return prefix;
}

/** The one place where the vendor looks, with this in it. */
export function presented({ header, word }: Vendor, key: string): readonly [name: string, value: string] {
  return [header, word === null ? key : `${word} ${key}`];
}
