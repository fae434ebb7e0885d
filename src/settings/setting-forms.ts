import { z } from 'zod';
import { parseListen } from '../net/listen.ts';
import { parseDuration } from '../time/time.ts';

/** A whole number within bounds. */
export function wholeNumber(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** A number of things from 1 on, or `auto`; as text too, as the environment has it. */
export function countOrAuto(max: number) {
  const error = `expected a whole number from 1 to ${max}, or auto`;
  return z
    .union(
      [
        z.int({ error }).min(1, { error }).max(max, { error }),
        z.string({ error }).meta({ pattern: '^(auto|[1-9][0-9]{0,5})$' }),
      ],
      { error },
    )
    .transform((given, context): number | 'auto' => {
      if (given === 'auto') return given;
      const count = typeof given === 'number' ? given : /^[1-9][0-9]{0,5}$/.test(given) ? Number(given) : 0;
      if (count >= 1 && count <= max) return count;
      context.addIssue(error);
      return z.NEVER;
    });
}

/** A length of time with a unit, within bounds; reads as milliseconds. */
export function duration(minMs: number, maxMs: number) {
  const error = `expected a duration from ${shortest(minMs)} to ${shortest(maxMs)}, such as 15s, 1.5h or 30d`;
  return z
    .string({ error })
    .meta({ pattern: '^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$' })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== null && ms >= minMs && ms <= maxMs) return ms;
      context.addIssue(error);
      return z.NEVER;
    });
}

/** The name of a header; reads as lower case. */
export const headerName = text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, 'expected a header name').transform(
  (name) => name.toLowerCase(),
);

/** What a request cannot do without: Envoy removes none of them, and sets none as it is told. */
export const neededHeaders: readonly string[] = [
  ...['host', 'connection', 'content-length', 'te', 'transfer-encoding', 'upgrade'],
];

/** A name that schemes, environments and plans of schemes have. */
export const name = text(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected a name of a-z, 0-9, _ and -');

const listenError = 'expected host:port, [ipv6]:port or unix:/path';

/** Where a listener listens. */
export const listen = z
  .string({ error: listenError })
  .meta({ pattern: '^(unix:/.*|.+:[0-9]{1,5})$' })
  .transform((address, context) => {
    const parsed = parseListen(address);
    if (parsed !== null) return parsed;
    context.addIssue(listenError);
    return z.NEVER;
  });

export type StoreSetting =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'mongodb'; readonly uri: string };

const storeError = 'expected sqlite:FILE, sqlite::memory: or mongodb://HOST:PORT/DATABASE';

/** Where keys are kept. What is wrong with an address quotes no part of it, since it may hold a password. */
export const store = z
  .string({ error: storeError })
  .meta({ pattern: '^(sqlite:.+|mongodb(\\+srv)?://.+/.+)$' })
  .transform((address, context): StoreSetting => {
    if (/^mongodb(?:\+srv)?:\/\//.test(address)) {
      const wrong = whatIsWrongWith(address);
      if (wrong === null) return { kind: 'mongodb', uri: address };
      context.addIssue(wrong);
      return z.NEVER;
    }
    const path = /^sqlite:(.+)$/s.exec(address)?.[1];
    if (path !== undefined) return { kind: 'sqlite', path };
    context.addIssue(storeError);
    return z.NEVER;
  });

/** A text of a certain form. */
export function text(form: RegExp, error: string) {
  return z.string({ error }).regex(form, { error });
}

/** MongoDB's connection string: no character of a user or password that delimits may stand as it is. */
function whatIsWrongWith(uri: string): string | null {
  const login = /^[^/]+:\/\/(?:[^:@/?#[\]]+(?::[^:@/?#[\]]*)?@)?(?<rest>[^@]*)$/.exec(
    uri.replace(/\?.*$/s, ''),
  );
  if (login === null)
    return 'the MongoDB address cannot be read: escape user and password, @ as %40, : as %3A';
  const named = /^[^/]+\/[^/]+$/.test(login.groups?.rest ?? '');
  return named ? null : 'the MongoDB address must name a database: mongodb://HOST:PORT/DATABASE';
}

const units = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
] as const;

function shortest(ms: number): string {
  const [unitMs, unit] = units.find(([length]) => ms % length === 0) ?? [1, 'ms'];
  return `${ms / unitMs}${unit}`;
}

const pathError = 'expected a path';
const filePath = z
  .string({ error: pathError })
  .min(1, { error: pathError })
  .max(4_096, { error: pathError })
  .refine((path) => !path.includes('\0'), { error: pathError });

/** The files of a listener's TLS. */
export const tls = z
  .strictObject({
    cert: filePath.describe('The certificate and those between it and the root, in PEM.'),
    key: filePath.describe('Its private key, in PEM, without a password.'),
    client_ca: filePath
      .optional()
      .describe('With it, only clients with a certificate of one of these authorities get in.'),
  })
  .transform(({ cert, key, client_ca }) => ({ cert, key, clientCa: client_ca ?? null }))
  .optional();

/** Settings that a running service takes over when they are read again; all others hold from the next start on. */
export const reloadable = z.registry<{ readonly isList: boolean }>();

/** The names of those in a part of the settings, as in `log.level`. */
export function reloadableIn(shape: z.core.$ZodShape, path = ''): { name: string; isList: boolean }[] {
  return Object.entries(shape).flatMap(([member, schema]) => {
    const found = reloadable.get(schema as z.ZodType);
    if (found !== undefined) return [{ name: `${path}${member}`, isList: found.isList }];
    const section = schema instanceof z.ZodPrefault ? schema.unwrap() : schema;
    return section instanceof z.ZodObject ? reloadableIn(section.shape, `${path}${member}.`) : [];
  });
}
