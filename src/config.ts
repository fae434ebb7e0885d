import type { RateLimit } from './key.ts';
import type { Listen } from './listen.ts';
import type { Rule } from './rules.ts';
import type { Scheme } from './scheme.ts';
import { ChecksumKeyMissing, createScheme, overlappingPrefixes, type SchemeDefaults } from './scheme-spec.ts';
import { type Pepper, Secret } from './secret.ts';
import {
  knownSettings,
  type LogLevel,
  type Settings,
  type SettingsIssue,
  settingsSchema,
} from './settings-schema.ts';

/** Everything that can be set, read and checked. Nothing else reads settings. */
export interface Config {
  readonly check: {
    readonly listen: Listen;
    /** How an unreachable store is told to Envoy. */
    readonly unavailableAs: 'error_response' | 'denied_response' | 'rpc_error';
    /** The largest CheckRequest that is read. */
    readonly requestBytesMax: number;
  };
  readonly admin: { readonly listen: Listen; readonly requestBytesMax: number };
  readonly http: { readonly listen: Listen; readonly bodyBytesMax: number };
  readonly store: Settings['store'];
  /** What is served where a route names no environment. */
  readonly environment: string;
  readonly logLevel: LogLevel;
  /** In the order in which they are looked for; the first is CreateKey's default. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /** The scheme of admin keys, whether or not Checks know it. */
  readonly adminScheme: Scheme;
  /** Plan → its limit, null for none. */
  readonly plans: ReadonlyMap<string, RateLimit | null>;
  readonly rules: readonly Rule[];
  readonly stalenessMaxMs: number;
  /** The longest that a revocation waits for every replica to confirm. */
  readonly settleMaxMs: number;
  readonly retentionMs: number;
  /** Bounds of what memory holds. */
  readonly memory: {
    readonly keysMax: number;
    readonly missesMax: number;
    readonly ownersMax: number;
    readonly readsMax: number;
    readonly spendersMax: number;
  };
  /** Whether keys with a limit pass when the store can not be asked for more units of it. */
  readonly limitsWhenUnavailable: 'allow' | 'deny';
  readonly drainMs: number;
  /** Null when the host's name and a random part are to be used. */
  readonly replicaId: string | null;
  readonly adminKey: Secret | null;
  readonly peppers: readonly Pepper[];
}

/** What comes from the environment or a file alone, never from the settings file or a flag. */
export interface SecretSettings {
  readonly adminKey?: string;
  /** `id:base64,id:base64` */
  readonly peppers?: string;
  /** `id:base64,id:base64`, for schemes with `checksum: hmac`. */
  readonly checksumKeys?: string;
}

/** One thing that is wrong with the settings. */
export interface ConfigProblem {
  /** Where in the tree; a secret is named by its environment variable. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** For a name that does not exist: those that do, at that place. */
  readonly known?: readonly string[];
}

export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Settings → a Config, every default filled in. Throws {@link ConfigError} with all that is wrong. */
export function readConfig(
  tree: unknown,
  secrets: SecretSettings,
  presets: ReadonlyMap<string, Scheme>,
): Config {
  const result = settingsSchema.safeParse(tree);
  if (!result.success) throw new ConfigError(result.error.issues.flatMap((issue) => problemsOf(issue)));
  const settings = result.data;
  const adminScheme = presetOf('postern', [], presets);
  const checksumKeys = keysOf('POSTERN_CHECKSUM_KEYS', secrets.checksumKeys);
  const schemes = schemesOf(settings.schemes, presets, { answers: adminScheme.answers, checksumKeys });
  return Object.freeze({
    check: {
      listen: settings.check.listen,
      unavailableAs: settings.check.unavailable_as,
      requestBytesMax: settings.check.request_bytes_max,
    },
    admin: { listen: settings.admin.listen, requestBytesMax: settings.admin.request_bytes_max },
    http: { listen: settings.http.listen, bodyBytesMax: settings.http.body_bytes_max },
    store: settings.store,
    environment: settings.environment,
    logLevel: settings.log.level,
    schemes,
    adminScheme,
    plans: new Map(Object.entries(settings.plans)),
    rules: rulesOf(settings.rules, schemes),
    stalenessMaxMs: settings.staleness_max,
    settleMaxMs: settings.settle_timeout,
    retentionMs: settings.retention,
    memory: {
      keysMax: settings.memory.keys_max,
      missesMax: settings.memory.misses_max,
      ownersMax: settings.memory.owners_max,
      readsMax: settings.memory.reads_max,
      spendersMax: settings.memory.spenders_max,
    },
    limitsWhenUnavailable: settings.limits_when_unavailable,
    drainMs: settings.drain_timeout,
    replicaId: settings.replica_id ?? null,
    adminKey: adminKeyOf(secrets.adminKey),
    peppers: keysOf('POSTERN_PEPPERS', secrets.peppers),
  });
}

function schemesOf(
  listed: Settings['schemes'],
  presets: ReadonlyMap<string, Scheme>,
  defaults: SchemeDefaults,
): readonly [Scheme, ...Scheme[]] {
  const schemes = (listed ?? [...presets.keys()]).map((entry, index) => {
    if (typeof entry === 'string') return presetOf(entry, ['schemes', index], presets);
    try {
      return createScheme(entry, defaults);
    } catch (error) {
      if (!(error instanceof ChecksumKeyMissing)) throw error;
      throw new ConfigError([{ path: ['schemes', index, 'checksum'], message: error.message }]);
    }
  });
  const names = schemes.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice !== -1)
    throw new ConfigError([{ path: ['schemes', twice], message: `${names[twice]} is there twice` }]);
  const overlaps = overlappingPrefixes(schemes);
  if (overlaps.length > 0) {
    const message = `a key could belong to two schemes: ${overlaps.join('; ')}`;
    throw new ConfigError([{ path: ['schemes'], message }]);
  }
  return schemes as [Scheme, ...Scheme[]];
}

function presetOf(name: string, path: (string | number)[], presets: ReadonlyMap<string, Scheme>): Scheme {
  const preset = presets.get(name);
  if (preset !== undefined) return preset;
  throw new ConfigError([{ path, message: `there is no preset "${name}"`, known: [...presets.keys()] }]);
}

function rulesOf(rules: Settings['rules'], schemes: readonly Scheme[]): Rule[] {
  const known = schemes.map(({ name }) => name);
  for (const [index, { scheme }] of rules.entries()) {
    const wrong = scheme?.split(',').find((name) => !known.includes(name.trim()));
    if (wrong === undefined) continue;
    throw new ConfigError([
      { path: ['rules', index, 'scheme'], message: `"${wrong.trim()}" is not among the schemes`, known },
    ]);
  }
  return rules;
}

const adminKeyLengthMin = 32;

function adminKeyOf(text: string | undefined): Secret | null {
  if (text === undefined) return null;
  if (text.length >= adminKeyLengthMin && /^[\x21-\x7e]+$/.test(text)) return new Secret(text);
  const message = `expected ${adminKeyLengthMin} or more printable ASCII characters without spaces`;
  throw new ConfigError([{ path: ['POSTERN_ADMIN_KEY'], message }]);
}

const keyBytesMin = 32;

/** `id:base64,id:base64`; no value of it is quoted. */
function keysOf(setting: string, text: string | undefined): Pepper[] {
  if (text === undefined) return [];
  const keys = text.split(',').map((entry) => {
    const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]+={0,2})$/.exec(entry.trim());
    const key = Buffer.from(match?.[2] ?? '', 'base64');
    if (match?.[1] === undefined || key.length < keyBytesMin) {
      const message = `expected id:base64,id:base64 with ${keyBytesMin} or more bytes each`;
      throw new ConfigError([{ path: [setting], message }]);
    }
    return { id: match[1], key };
  });
  const ids = keys.map(({ id }) => id);
  if (new Set(ids).size === ids.length) return keys;
  throw new ConfigError([{ path: [setting], message: 'the same id is there twice' }]);
}

function problemsOf(issue: SettingsIssue, parent: readonly PropertyKey[] = []): ConfigProblem[] {
  const path = [...parent, ...issue.path].map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const known = knownSettings(path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `there is no setting "${key}"`,
      known,
    }));
  }
  if (issue.code === 'invalid_union') {
    const [likeliest] = issue.errors.filter((errors) => errors.length > 0).toSorted(byDistance);
    if (likeliest !== undefined) return likeliest.flatMap((nested) => problemsOf(nested, path));
  }
  return [{ path, message: issue.message }];
}

/** Of several forms that a value may have, the one that was meant is the one that went wrong deepest inside. */
function byDistance(one: readonly SettingsIssue[], other: readonly SettingsIssue[]): number {
  const depth = (issues: readonly SettingsIssue[]) => Math.max(...issues.map(({ path }) => path.length));
  return depth(other) - depth(one) || one.length - other.length;
}
