import { jwkOf } from '../identity/signing-key.ts';
import { type Pepper, Secret } from '../keys/secret.ts';
import { readPairs } from '../tracing/tracing-pairs.ts';
import type { ConfigProblem } from './config-problem.ts';

/** What comes from the environment or a file alone, never from the settings file or a flag. */
export interface SecretSettings {
  readonly adminKey?: string;
  /** `id:base64,id:base64` */
  readonly peppers?: string;
  /** `id:base64,id:base64`, for schemes with `checksum: hmac`. */
  readonly checksumKeys?: string;
  /** The base64 of 32 or more bytes, for sessions of the console. */
  readonly sessionSecret?: string;
  /** As the OpenID provider gave it. */
  readonly oidcClientSecret?: string;
  /** `whsec_base64`, or several with commas. */
  readonly webhookSecret?: string;
  /** PKCS #8 as PEM, one or several one after the other; for identity tokens, the first signs. */
  readonly identityKeys?: string;
  /** `name=value,name=value` with percent-encoded values, as OTEL_EXPORTER_OTLP_HEADERS has them. */
  readonly traceHeaders?: string;
}

export interface Secrets {
  readonly adminKey: Secret | null;
  readonly peppers: readonly Pepper[];
  readonly checksumKeys: readonly Pepper[];
  /** Null where each process makes its own. */
  readonly sessionSecret: Buffer | null;
  /** What the console proves itself by to the OpenID provider. */
  readonly oidcClientSecret: Secret | null;
  /** Each signs what is sent to the webhook. */
  readonly webhookSecrets: readonly Buffer[];
  /** PKCS #8 as PEM each, of P-256; none where the store has them. */
  readonly identityKeys: readonly string[];
  /** Sent with the spans. */
  readonly traceHeaders: Readonly<Record<string, string>>;
}

const adminKeyLengthMin = 32;
const keyBytesMin = 32;
/** Standard Webhooks, "Signature scheme". */
const webhookBytes = { min: 24, max: 64 };

/** Reads the secrets; what is wrong with them quotes none. */
export function readSecrets(given: SecretSettings): Secrets & { readonly problems: ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const read = <T>(setting: string, parse: () => T, otherwise: T): T => {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof SecretFormError)) throw error;
      problems.push({ path: [setting], message: error.message });
      return otherwise;
    }
  };
  return {
    adminKey: read('POSTERN_ADMIN_KEY', () => adminKeyOf(given.adminKey), null),
    peppers: read('POSTERN_PEPPERS', () => keysOf(given.peppers), []),
    checksumKeys: read('POSTERN_CHECKSUM_KEYS', () => keysOf(given.checksumKeys), []),
    sessionSecret: read('POSTERN_CONSOLE_SESSION_SECRET', () => sessionSecretOf(given.sessionSecret), null),
    oidcClientSecret: read(
      'POSTERN_OIDC_CLIENT_SECRET',
      () => oidcClientSecretOf(given.oidcClientSecret),
      null,
    ),
    webhookSecrets: read('POSTERN_WEBHOOK_SECRET', () => webhookSecretsOf(given.webhookSecret), []),
    identityKeys: read('POSTERN_IDENTITY_KEYS', () => identityKeysOf(given.identityKeys), []),
    traceHeaders: read('OTEL_EXPORTER_OTLP_HEADERS', () => traceHeadersOf(given.traceHeaders), {}),
    problems,
  };
}

class SecretFormError extends Error {}

function adminKeyOf(text: string | undefined): Secret | null {
  if (text === undefined) return null;
  if (text.length >= adminKeyLengthMin && /^[\x21-\x7e]+$/.test(text)) return new Secret(text);
  throw new SecretFormError(
    `expected ${adminKeyLengthMin} or more printable ASCII characters without spaces`,
  );
}

function keysOf(text: string | undefined): Pepper[] {
  if (text === undefined) return [];
  const keys = text.split(',').map((entry) => {
    const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]+={0,2})$/.exec(entry.trim());
    const key = Buffer.from(match?.[2] ?? '', 'base64');
    if (match?.[1] === undefined || key.length < keyBytesMin) {
      throw new SecretFormError(`expected id:base64,id:base64 with ${keyBytesMin} or more bytes each`);
    }
    // Its own bytes, not a part of Node's pool: what is sent to a Check worker is the whole of what they are a part of.
    return { id: match[1], key: Uint8Array.from(key) };
  });
  if (new Set(keys.map(({ id }) => id)).size === keys.length) return keys;
  throw new SecretFormError('the same id is there twice; expected an id for each key');
}

function sessionSecretOf(text: string | undefined): Buffer | null {
  if (text === undefined) return null;
  const secret = Buffer.from(/^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? text : '', 'base64');
  if (secret.length >= keyBytesMin) return secret;
  throw new SecretFormError(`expected the base64 of ${keyBytesMin} or more bytes`);
}

function oidcClientSecretOf(text: string | undefined): Secret | null {
  if (text === undefined) return null;
  if (/^[\x20-\x7e]{1,1024}$/.test(text)) return new Secret(text);
  throw new SecretFormError('expected 1 to 1024 printable ASCII characters');
}

function webhookSecretsOf(text: string | undefined): Buffer[] {
  if (text === undefined) return [];
  return text.split(',').map((entry) => {
    const match = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(entry.trim());
    const secret = Buffer.from(match?.[1] ?? '', 'base64');
    const { min, max } = webhookBytes;
    if (secret.length >= min && secret.length <= max) return secret;
    throw new SecretFormError(`expected whsec_ and the base64 of ${min} to ${max} bytes`);
  });
}

function identityKeysOf(text: string | undefined): string[] {
  if (text === undefined) return [];
  // A variable of the environment may hold its lines as \n.
  const lines = text.replaceAll('\\n', '\n');
  const keys = lines.match(/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/g) ?? [];
  try {
    if (keys.length > 0 && new Set(keys.map((key) => jwkOf(key).kid)).size === keys.length) return [...keys];
  } catch {
    // Said below.
  }
  throw new SecretFormError(
    'expected private keys of P-256, each once, as PEM: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256',
  );
}

function traceHeadersOf(text: string | undefined): Record<string, string> {
  const pairs = readPairs(text ?? '');
  if (pairs === null) throw new SecretFormError('expected name=value,name=value with percent-encoded values');
  return pairs;
}
