import { z } from 'zod';
import { type Listen, parseListen } from './listen.ts';
import type { Scheme } from './scheme.ts';
import { createScheme, overlappingPrefixes, schemeSpec } from './scheme-spec.ts';
import { type Pepper, Secret } from './secret.ts';
import { parseDuration } from './time.ts';

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
  readonly store: { readonly kind: 'sqlite'; readonly path: string } | { readonly kind: 'mongodb'; readonly uri: string };
  /** What is served where a route names no environment. */
  readonly environment: string;
  readonly logLevel: LogLevel;
  /** In the order in which they are looked for; the first is CreateKey's default. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /** The scheme of admin keys, whether or not Checks know it. */
  readonly adminScheme: Scheme;
  readonly stalenessMaxMs: number;
  readonly retentionMs: number;
  readonly keyring: { readonly keysMax: number; readonly missesMax: number; readonly loadsMax: number };
  readonly drainMs: number;
  /** Null when the host's name and a random part are to be used. */
  readonly replicaId: string | null;
  readonly adminKey: Secret | null;
  readonly peppers: readonly Pepper[];
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const listen = z.string().transform((text, context) => {
  const parsed = parseListen(text);
  if (parsed !== null) return parsed;
  context.addIssue('expected host:port, [ipv6]:port or unix:/path');
  return z.NEVER;
});

function duration(minMs: number, maxMs: number) {
  return z.string().transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue(`expected a duration from ${minMs / 1_000}s to ${maxMs / 1_000}s, such as 15s or 30d`);
    return z.NEVER;
  });
}

const store = z.string().transform((text, context): Config['store'] => {
  if (/^mongodb(\+srv)?:\/\//.test(text)) return { kind: 'mongodb', uri: text };
  const path = /^sqlite:(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return { kind: 'sqlite', path };
  context.addIssue('expected sqlite:FILE, sqlite::memory: or mongodb://…/DATABASE');
  return z.NEVER;
});

const day = 86_400_000;
const bytes = z.int().min(1_024).max(64 * 1_024 * 1_024);
const entries = z.int().min(1).max(100_000_000);

/** The settings as a tree, as the YAML file has them. */
export const settingsSchema = z.strictObject({
  check: z
    .strictObject({
      listen: listen.prefault('127.0.0.1:50051'),
      unavailable_as: z.enum(['error_response', 'denied_response', 'rpc_error']).default('error_response'),
      request_bytes_max: bytes.default(1_048_576),
    })
    .prefault({}),
  admin: z
    .strictObject({ listen: listen.prefault('127.0.0.1:50052'), request_bytes_max: bytes.default(1_048_576) })
    .prefault({}),
  http: z
    .strictObject({ listen: listen.prefault('127.0.0.1:8080'), body_bytes_max: bytes.default(1_048_576) })
    .prefault({}),
  store: store.prefault('sqlite:data/postern.db'),
  environment: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected a name of a-z, 0-9, _ and -').default('live'),
  log: z.strictObject({ level: z.enum(logLevels).default('info') }).prefault({}),
  schemes: z.array(z.union([z.string(), schemeSpec])).min(1).optional(),
  staleness_max: duration(1_000, 3_600_000).prefault('15s'),
  retention: duration(1_000, 3_650 * day).prefault('30d'),
  keyring: z
    .strictObject({
      keys_max: entries.default(1_000_000),
      misses_max: entries.default(100_000),
      loads_max: entries.default(1_000),
    })
    .prefault({}),
  drain_timeout: duration(1, 3_600_000).prefault('20s'),
  replica_id: z.string().regex(/^[\x21-\x7e]{1,128}$/, 'expected up to 128 printable ASCII characters').optional(),
});

/** What comes from the environment or a file alone, never from the settings file or a flag. */
export interface SecretSettings {
  readonly adminKey?: string;
  /** `id:base64,id:base64` */
  readonly peppers?: string;
}

/** One thing that is wrong with the settings. */
export interface ConfigProblem {
  /** Where in the tree; the secrets are not in it. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** For a setting that does not exist: those that do, at that place. */
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
export function readConfig(tree: unknown, secrets: SecretSettings, presets: ReadonlyMap<string, Scheme>): Config {
  const result = settingsSchema.safeParse(tree);
  if (!result.success) throw new ConfigError(result.error.issues.flatMap((issue) => problemsOf(issue)));
  const settings = result.data;
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
    schemes: schemesOf(settings.schemes, presets),
    adminScheme: presetOf('postern', [], presets),
    stalenessMaxMs: settings.staleness_max,
    retentionMs: settings.retention,
    keyring: {
      keysMax: settings.keyring.keys_max,
      missesMax: settings.keyring.misses_max,
      loadsMax: settings.keyring.loads_max,
    },
    drainMs: settings.drain_timeout,
    replicaId: settings.replica_id ?? null,
    adminKey: adminKeyOf(secrets.adminKey),
    peppers: peppersOf(secrets.peppers),
  });
}

function schemesOf(
  listed: z.output<typeof settingsSchema>['schemes'],
  presets: ReadonlyMap<string, Scheme>,
): readonly [Scheme, ...Scheme[]] {
  const answers = presetOf('postern', [], presets).answers;
  const schemes = (listed ?? [...presets.keys()]).map((entry, index) =>
    typeof entry === 'string' ? presetOf(entry, ['schemes', index], presets) : createScheme(entry, answers),
  );
  const names = schemes.map(({ name }) => name);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice !== -1) throw new ConfigError([{ path: ['schemes', twice], message: `${names[twice]} is there twice` }]);
  const [overlap] = overlappingPrefixes(schemes);
  if (overlap !== undefined) {
    throw new ConfigError([{ path: ['schemes'], message: `no key could be told apart by ${overlap}` }]);
  }
  return schemes as [Scheme, ...Scheme[]];
}

function presetOf(name: string, path: (string | number)[], presets: ReadonlyMap<string, Scheme>): Scheme {
  const preset = presets.get(name);
  if (preset !== undefined) return preset;
  const known = [...presets.keys()];
  throw new ConfigError([{ path, message: `there is no preset "${name}"`, known }]);
}

const adminKeyLengthMin = 32;

function adminKeyOf(text: string | undefined): Secret | null {
  if (text === undefined) return null;
  if (text.length >= adminKeyLengthMin && /^[\x21-\x7e]+$/.test(text)) return new Secret(text);
  const message = `expected ${adminKeyLengthMin} or more printable ASCII characters without spaces`;
  throw new ConfigError([{ path: ['POSTERN_ADMIN_KEY'], message }]);
}

const pepperBytesMin = 32;

function peppersOf(text: string | undefined): Pepper[] {
  if (text === undefined) return [];
  const peppers = text.split(',').map((entry) => {
    const match = /^([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]+={0,2})$/.exec(entry.trim());
    const key = Buffer.from(match?.[2] ?? '', 'base64');
    if (match?.[1] === undefined || key.length < pepperBytesMin) {
      const message = `expected id:base64,id:base64 with ${pepperBytesMin} or more bytes each`;
      throw new ConfigError([{ path: ['POSTERN_PEPPERS'], message }]);
    }
    return { id: match[1], key };
  });
  const ids = peppers.map(({ id }) => id);
  if (new Set(ids).size === ids.length) return peppers;
  throw new ConfigError([{ path: ['POSTERN_PEPPERS'], message: 'the same id is there twice' }]);
}

function problemsOf(issue: z.core.$ZodIssue, parent: readonly PropertyKey[] = []): ConfigProblem[] {
  const path = [...parent, ...issue.path].map((part) => (typeof part === 'number' ? part : String(part)));
  if (issue.code === 'unrecognized_keys') {
    const known = knownSettings(path);
    return issue.keys.map((key) => ({ path: [...path, key], message: `there is no setting "${key}"`, known }));
  }
  // A scheme is a name or a whole scheme: what is wrong with the whole one says more than that it is no name.
  const inner = issue.code === 'invalid_union' ? issue.errors.at(-1) : undefined;
  if (inner !== undefined && inner.length > 0) return inner.flatMap((nested) => problemsOf(nested, path));
  return [{ path, message: issue.message }];
}

/** The settings that there are under a path of the tree. */
function knownSettings(path: readonly (string | number)[]): string[] {
  let schema = z.toJSONSchema(settingsSchema, { io: 'input' }) as JsonSchema;
  for (const part of path) {
    const options = [schema, ...(schema.anyOf ?? [])];
    const next = options.map((option) => (typeof part === 'number' ? option.items : option.properties?.[part]));
    schema = next.find((option) => option !== undefined) ?? {};
  }
  return [schema, ...(schema.anyOf ?? [])].flatMap((option) => Object.keys(option.properties ?? {}));
}

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}
