import { z } from 'zod';
import { answersSpec } from './answer-spec.ts';
import { crc32Checksum, createHmacChecksum } from './checksum.ts';
import { planSpec } from './plan-spec.ts';
import type { Checksum, Place, Scheme } from './scheme.ts';
import { type Pepper, randomText } from './secret.ts';

/** The fewest random bits that a minted key may carry. */
const randomBitsMin = 128;
const formLengthMax = 512;
/** Keys that are minted to see whether a pattern takes them. */
const samples = 100;

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'expected a header name')
  .transform((name) => name.toLowerCase());
const name = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected a name of a-z, 0-9, _ and -');
const parameter = z.string().regex(/^[A-Za-z0-9._~-]+$/, 'expected a name of letters, digits and . _ ~ -');

const place = z.union([
  z
    .strictObject({
      header: headerName,
      word: z
        .string()
        .regex(/^[A-Za-z0-9-]+$/, 'expected one word')
        .optional(),
    })
    .transform((spec): Place => ({ kind: 'header', name: spec.header, word: spec.word ?? null })),
  z.strictObject({ query: parameter }).transform((spec): Place => ({ kind: 'query', name: spec.query })),
  z.strictObject({ cookie: parameter }).transform((spec): Place => ({ kind: 'cookie', name: spec.cookie })),
]);

/** Characters and ranges of ASCII as in a regular expression's class: `A-Za-z0-9_-`. */
const alphabet = z.string().transform((text, context) => {
  const characters = expandAlphabet(text);
  if (characters !== null) return characters;
  context.addIssue('expected printable ASCII characters and ranges such as A-Za-z0-9_-');
  return z.NEVER;
});

const length = z.int().min(1).max(formLengthMax);

const accept = z.union([
  z
    .strictObject({ alphabet, length: length.optional(), min: length.optional(), max: length.optional() })
    .transform((spec) =>
      acceptsAlphabet(spec.alphabet, spec.length ?? spec.min ?? 1, spec.length ?? spec.max ?? formLengthMax),
    ),
  z.strictObject({ pattern: z.string().min(1) }).transform((spec, context) => {
    const matcher = patternOf(spec.pattern);
    if (matcher !== null) return (body: string) => matcher.test(body);
    context.addIssue({ code: 'custom', path: ['pattern'], message: 'expected a regular expression' });
    return z.NEVER;
  }),
]);

/** A scheme as it is written down in YAML; all that needs no more than itself is checked. */
export const schemeSpec = z
  .strictObject({
    name,
    places: z.tuple([place], place).refine((places) => places.length <= 8, 'may have at most 8 entries'),
    /** Prefix → the environment that its keys belong to. */
    prefixes: z
      .record(z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected letters, digits and _ . -'), name)
      .refine((prefixes) => Object.keys(prefixes).length > 0, 'expected one prefix or more'),
    /** The form of what follows the prefix, checksum aside. */
    accept,
    mint: z.strictObject({ alphabet, length }),
    checksum: z.enum(['none', 'crc32', 'hmac']).default('none'),
    forward_credential: z.boolean().default(false),
    plans: z.record(name, planSpec).default({}),
    default_plan: name.optional(),
    answers: answersSpec.optional(),
  })
  .superRefine((spec, context) => {
    const bits = Math.floor(spec.mint.length * Math.log2(spec.mint.alphabet.length));
    const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (bits < randomBitsMin) issue(['mint'], `gives ${bits} random bits; expected ${randomBitsMin} or more`);
    const minted = Array.from({ length: samples }, () => randomText(spec.mint.alphabet, spec.mint.length));
    if (!minted.every(spec.accept)) issue(['mint'], 'makes keys that accept turns away');
    if (spec.default_plan !== undefined && !Object.hasOwn(spec.plans, spec.default_plan)) {
      issue(['default_plan'], `expected one of: ${Object.keys(spec.plans).join(', ')}`);
    }
  });

export type SchemeSpec = z.output<typeof schemeSpec>;

export interface SchemeDefaults {
  /** The answers of a scheme that writes none. */
  readonly answers: Scheme['answers'];
  /** For `checksum: hmac`, the first signs; may be empty when no scheme asks for it. */
  readonly checksumKeys: readonly Pepper[];
}

/** `checksum: hmac` with no key to make it with. */
export class ChecksumKeyMissing extends Error {}

/** A scheme as data → a scheme to judge by. Throws {@link ChecksumKeyMissing}. */
export function createScheme(spec: SchemeSpec, defaults: SchemeDefaults): Scheme {
  const prefixes = Object.entries(spec.prefixes).map(([text, environment]) => ({ text, environment }));
  return {
    name: spec.name,
    places: spec.places,
    prefixes: prefixes.toSorted((one, other) => other.text.length - one.text.length),
    accepts: spec.accept,
    mint: spec.mint,
    checksum: checksumOf(spec.checksum, defaults.checksumKeys),
    forwardCredential: spec.forward_credential,
    plans: new Map(Object.entries(spec.plans)),
    defaultPlan: spec.default_plan ?? null,
    answers: spec.answers ?? defaults.answers,
  };
}

/** The prefixes that one scheme shares with another, so that a key could be taken for either's. */
export function overlappingPrefixes(schemes: readonly Scheme[]): string[] {
  const all = schemes.flatMap(({ name: scheme, prefixes }) => prefixes.map(({ text }) => ({ scheme, text })));
  return all.flatMap((one, index) =>
    all
      .slice(index + 1)
      .filter((other) => one.scheme !== other.scheme)
      .filter((other) => one.text.startsWith(other.text) || other.text.startsWith(one.text))
      .map((other) => `${one.scheme}'s ${one.text} and ${other.scheme}'s ${other.text}`),
  );
}

function checksumOf(kind: SchemeSpec['checksum'], keys: readonly Pepper[]): Checksum | null {
  if (kind === 'none') return null;
  if (kind === 'crc32') return crc32Checksum;
  const [first, ...rest] = keys;
  if (first === undefined) throw new ChecksumKeyMissing('checksum: hmac needs POSTERN_CHECKSUM_KEYS');
  return createHmacChecksum([first, ...rest]);
}

function acceptsAlphabet(characters: string, min: number, max: number): (body: string) => boolean {
  const accepted = new Uint8Array(128);
  for (const character of characters) accepted[character.charCodeAt(0)] = 1;
  return (body) => {
    if (body.length < min || body.length > max) return false;
    for (let at = 0; at < body.length; at++) {
      if (accepted[body.charCodeAt(at)] !== 1) return false;
    }
    return true;
  };
}

function patternOf(source: string): RegExp | null {
  try {
    return new RegExp(`^(?:${source})$`, 'v');
  } catch {
    return null;
  }
}

function expandAlphabet(text: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(text)) return null;
  const characters = new Set<string>();
  for (let at = 0; at < text.length; at++) {
    const [first, last] = [text.charCodeAt(at), text.charCodeAt(at + 2)];
    const isRange = text.charAt(at + 1) === '-' && at + 2 < text.length;
    if (isRange && last < first) return null;
    for (let code = first; code <= (isRange ? last : first); code++)
      characters.add(String.fromCharCode(code));
    if (isRange) at += 2;
  }
  return [...characters].join('');
}
