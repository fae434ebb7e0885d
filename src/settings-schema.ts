import { z } from 'zod';
import { parseListen } from './listen.ts';
import { planSpec } from './plan-spec.ts';
import { normaliseHost, normalisePath, type Rule } from './rules.ts';
import { schemeSpec } from './scheme-spec.ts';
import { parseDuration } from './time.ts';

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

type StoreSetting =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'mongodb'; readonly uri: string };

const store = z.string().transform((text, context): StoreSetting => {
  if (/^mongodb(\+srv)?:\/\//.test(text)) return { kind: 'mongodb', uri: text };
  const path = /^sqlite:(.+)$/s.exec(text)?.[1];
  if (path !== undefined) return { kind: 'sqlite', path };
  context.addIssue('expected sqlite:FILE, sqlite::memory: or mongodb://…/DATABASE');
  return z.NEVER;
});

const names = z
  .string()
  .regex(/^[a-z0-9_-]+( *, *[a-z0-9_-]+)*$/, 'expected a name, or several with commas between');
const permission = z
  .string()
  .regex(/^[\x21-\x2b\x2d-\x7e]{1,128}$/, 'expected printable ASCII without spaces and commas');
const rulePath = z.string().refine((path) => {
  const fixed = path.endsWith('/*') ? path.slice(0, -1) : path;
  return normalisePath(fixed) === fixed && !fixed.includes('*');
}, 'expected a normal path, /a/b, or a prefix of one, /a/*');

const rule = z
  .strictObject({
    match: z
      .strictObject({
        host: z.string().min(1).transform(normaliseHost).optional(),
        methods: z
          .array(z.string().regex(/^[A-Z]+$/, 'expected a method in upper case'))
          .min(1)
          .optional(),
        path: rulePath.optional(),
      })
      .refine((match) => Object.keys(match).length > 0, 'expected a host, methods or a path'),
    permissions: z.array(permission).max(100).default([]),
    scheme: names.optional(),
    environment: z
      .string()
      .regex(/^[a-z0-9_-]+$/, 'expected a name of a-z, 0-9, _ and -')
      .optional(),
    cost: z.int().min(0).max(1_000_000_000).optional(),
    public: z.boolean().default(false),
  })
  .transform(({ public: isPublic, ...rest }) => ({ ...rest, isPublic }) as Rule);

const day = 86_400_000;
const bytes = z
  .int()
  .min(1_024)
  .max(64 * 1_024 * 1_024);
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
  environment: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected a name of a-z, 0-9, _ and -')
    .default('live'),
  log: z.strictObject({ level: z.enum(logLevels).default('info') }).prefault({}),
  schemes: z
    .array(z.union([z.string(), schemeSpec]))
    .min(1)
    .optional(),
  plans: z
    .record(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected letters, digits, _ and -'), planSpec)
    .default({}),
  rules: z.array(rule).max(10_000).default([]),
  staleness_max: duration(1_000, 3_600_000).prefault('15s'),
  settle_timeout: duration(1, 60_000).prefault('1s'),
  retention: duration(1_000, 3_650 * day).prefault('30d'),
  memory: z
    .strictObject({
      keys_max: entries.default(1_000_000),
      misses_max: entries.default(100_000),
      owners_max: entries.default(100_000),
      reads_max: entries.default(1_000),
      spenders_max: entries.default(1_000_000),
    })
    .prefault({}),
  limits_when_unavailable: z.enum(['allow', 'deny']).default('allow'),
  drain_timeout: duration(1, 3_600_000).prefault('20s'),
  replica_id: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/, 'expected up to 128 printable ASCII characters')
    .optional(),
});

export type Settings = z.output<typeof settingsSchema>;
export type SettingsIssue = z.core.$ZodIssue;

/** The JSON Schema of the settings file. */
export function settingsJsonSchema(): JsonSchema {
  return z.toJSONSchema(settingsSchema, { io: 'input' }) as JsonSchema;
}

/** The settings that there are under a path of the tree. */
export function knownSettings(path: readonly (string | number)[]): string[] {
  let forms = [settingsJsonSchema()];
  for (const part of path) {
    forms = forms
      .flatMap((form) => (typeof part === 'number' ? form.items : form.properties?.[part]) ?? [])
      .flatMap(formsOf);
  }
  return [...new Set(forms.flatMap((form) => Object.keys(form.properties ?? {})))];
}

export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

function formsOf(schema: JsonSchema): JsonSchema[] {
  return [schema, ...(schema.anyOf ?? []).flatMap(formsOf)];
}
