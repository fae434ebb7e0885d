import { z } from 'zod';
import type { Pepper } from '../../keys/secret.ts';
import { crc32Checksum, createHmacChecksum } from '../../schemes/checksum.ts';
import { acceptsForm, type KeyForm, matcherOf } from '../../schemes/key-form.ts';
import { type Checksum, type Place, rateLimitHeaders, type Scheme } from '../../schemes/scheme.ts';
import { planSpec } from '../keys/plan-spec.ts';
import { name, neededHeaders, text, wholeNumber } from '../setting-forms.ts';
import { cleartext, mode } from '../traffic/traffic-settings.ts';
import { answersSpec, answerTable } from './answer-spec.ts';

const formLengthMax = 512;
const placesMax = 8;
const patternLengthMax = 1_000;

const parameter = text(/^[A-Za-z0-9._~-]+$/, 'expected a name of letters, digits and . _ ~ -');

const place = z.union(
  [
    z
      .strictObject({
        header: text(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'expected a header name')
          .transform((header) => header.toLowerCase())
          .refine((header) => !neededHeaders.includes(header), {
            error:
              'is a header that a request needs, and so cannot be kept from the upstream; expected another',
          })
          .describe('The name of a header.'),
        word: text(/^[A-Za-z0-9-]+$/, 'expected one word')
          .optional()
          .describe('The word before the key, such as Bearer; it matches in any case.'),
      })
      .transform((spec): Place => ({ kind: 'header', name: spec.header, word: spec.word ?? null })),
    z
      .strictObject({ query: parameter.describe('The name of a query parameter.') })
      .transform((spec): Place => ({ kind: 'query', name: spec.query })),
    z
      .strictObject({ cookie: parameter.describe('The name of a cookie.') })
      .transform((spec): Place => ({ kind: 'cookie', name: spec.cookie })),
  ],
  { error: 'expected {header: NAME}, {header: NAME, word: Bearer}, {query: NAME} or {cookie: NAME}' },
);

const alphabetError = 'expected printable ASCII characters and ranges such as A-Za-z0-9_-';

/** Characters and ranges of ASCII as in a regular expression's class: `A-Za-z0-9_-`. */
const alphabet = z.string({ error: alphabetError }).transform((given, context) => {
  const characters = expandAlphabet(given);
  if (characters !== null) return characters;
  context.addIssue(alphabetError);
  return z.NEVER;
});

const length = wholeNumber(1, formLengthMax);

/** What is known of the form of keys that only a pattern tells. */
const unknownForm = { alphabet: null, lengthMin: 1 };

const accept = z.union(
  [
    z
      .strictObject({
        alphabet: alphabet.describe('The characters: A-Za-z0-9_-'),
        length: length.optional().describe('How many there are, exactly.'),
        min: length.optional().describe('The fewest (default: 1).'),
        max: length.optional().describe(`The most (default: ${formLengthMax}).`),
      })
      .refine((spec) => spec.length === undefined || (spec.min ?? spec.max) === undefined, {
        error: 'has a length beside min or max; expected one or the other',
      })
      .refine((spec) => (spec.min ?? 1) <= (spec.max ?? formLengthMax), {
        error: 'has a min above its max; expected min up to max',
      })
      .transform((spec) => {
        const [min, max] = [spec.length ?? spec.min ?? 1, spec.length ?? spec.max ?? formLengthMax];
        const form: KeyForm = { characters: spec.alphabet, min, max };
        return { form, accepts: acceptsForm(form), alphabet: spec.alphabet, lengthMin: min, pattern: null };
      }),
    z
      .strictObject({
        pattern: z
          .string()
          .min(1)
          .max(patternLengthMax)
          .describe('A regular expression with the flag u, which the whole matches.'),
      })
      .transform((spec, context) => {
        const matcher = patternOf(spec.pattern);
        if (matcher instanceof RegExp) {
          const form: KeyForm = { pattern: spec.pattern };
          return { ...unknownForm, form, accepts: acceptsForm(form), pattern: spec.pattern };
        }
        context.addIssue({ code: 'custom', path: ['pattern'], message: matcher });
        return z.NEVER;
      }),
  ],
  { error: 'expected {alphabet: A-Za-z0-9, length: 32} or {pattern: …}' },
);

/** A scheme as it is written down in YAML; what needs more than one member is checked by `schemeProblems`. */
export const schemeSpec = z.strictObject({
  name: name.describe('What rules, keys and metrics call it.'),
  places: z
    .array(place)
    .min(1)
    .max(placesMax)
    .transform((places) => places as [Place, ...Place[]])
    .describe('Where a key may sit in a request; it may sit in any one of them.'),
  prefixes: z
    .record(text(/^[A-Za-z0-9_.-]{0,64}$/, 'expected letters, digits and _ . -'), name)
    .refine((prefixes) => Object.keys(prefixes).length > 0, 'expected one prefix or more')
    .describe('What a key begins with → the environment that it is valid in; "" for keys without a prefix.'),
  accept: accept.describe('The form of what stands between prefix and checksum.'),
  mint: z
    .strictObject({
      alphabet: alphabet.describe('The characters: A-Za-z0-9'),
      length: length.describe('How many there are.'),
    })
    .optional()
    .describe('How that part of a new key is made: at random, with 128 bits or more; none without a prefix.'),
  checksum: z
    .enum(['none', 'crc32', 'hmac'])
    .default('none')
    .describe('What a key ends with: 6 characters of CRC-32, or 11 of an HMAC by POSTERN_CHECKSUM_KEYS.'),
  forward_credential: z.boolean().default(false).describe('Whether the upstream sees the key.'),
  plans: z
    .record(name, planSpec)
    .prefault({})
    .describe("Plan → its limits; the settings' own plans of the same name go first."),
  default_plan: name.optional().describe('The plan of keys that have none, nor an owner with one.'),
  mode: mode
    .optional()
    .describe("Whether requests with its keys are only observed (default: the settings' mode)."),
  cleartext: cleartext
    .optional()
    .describe(
      "What becomes of its keys that came by http: allow, deny or revoke (default: the settings' own).",
    ),
  rate_limit_headers: z
    .enum(rateLimitHeaders)
    .default('x')
    .describe('How a caller is told how it stands with its limits: X-RateLimit-*, RateLimit, both or none.'),
  answers: answersSpec
    .optional()
    .describe(
      "What callers are told when they are denied, each reason once; reasons newer than the first version may be left out (default: postern's).",
    ),
});

export type SchemeSpec = z.output<typeof schemeSpec>;

/** Those members of a scheme that are as they should be, however wrong the others are. */
export function readableMembers(given: unknown): Partial<SchemeSpec> {
  if (typeof given !== 'object' || given === null) return {};
  const members = Object.entries(schemeSpec.shape).flatMap(([member, spec]) => {
    const result = spec.safeParse((given as Record<string, unknown>)[member]);
    return result.success && result.data !== undefined ? [[member, result.data]] : [];
  });
  return Object.fromEntries(members) as Partial<SchemeSpec>;
}

export interface SchemeDefaults {
  /** The answers of a scheme that writes none, and to the reasons that are newer than those it writes. */
  readonly answers: Scheme['answers'];
  /** For `checksum: hmac`, the first signs; may be empty when no scheme asks for it. */
  readonly checksumKeys: readonly Pepper[];
}

/** A scheme as data, in which `schemeProblems` finds none → a scheme to judge by. */
export function createScheme(spec: SchemeSpec, defaults: SchemeDefaults): Scheme {
  const prefixes = Object.entries(spec.prefixes).map(([prefix, environment]) => ({
    text: prefix,
    environment,
  }));
  return {
    name: spec.name,
    places: spec.places,
    prefixes: prefixes.toSorted((one, other) => other.text.length - one.text.length),
    form: spec.accept.form,
    accepts: spec.accept.accepts,
    bodyLengthMin: spec.accept.lengthMin,
    mint: spec.mint ?? null,
    checksum: checksumOf(spec.checksum, defaults.checksumKeys),
    forwardCredential: spec.forward_credential,
    plans: new Map(Object.entries(spec.plans)),
    defaultPlan: spec.default_plan ?? null,
    mode: spec.mode ?? null,
    cleartext: spec.cleartext ?? null,
    rateLimitHeaders: spec.rate_limit_headers,
    answers: spec.answers === undefined ? defaults.answers : answerTable(spec.answers, defaults.answers),
  };
}

function checksumOf(kind: SchemeSpec['checksum'], keys: readonly Pepper[]): Checksum | null {
  if (kind === 'none') return null;
  if (kind === 'crc32') return crc32Checksum;
  const [first, ...rest] = keys;
  if (first === undefined) throw new Error('checksum: hmac needs a key');
  return createHmacChecksum([first, ...rest]);
}

/** The pattern, compiled; or why it cannot be. */
function patternOf(source: string): RegExp | string {
  try {
    // By itself too: `a)|(b` would only compile inside parentheses, and match more than it says.
    new RegExp(source, 'u');
    const matcher = matcherOf(source);
    // Compiled at its first use: one that is too large fails only then.
    matcher.test('');
    return matcher;
  } catch (error) {
    return `expected a regular expression: ${(error as Error).message.replace(/^.*\/u?: /s, '')}`;
  }
}

function expandAlphabet(given: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(given)) return null;
  const characters = new Set<string>();
  for (let at = 0; at < given.length; at++) {
    const [first, last] = [given.charCodeAt(at), given.charCodeAt(at + 2)];
    const isRange = given.charAt(at + 1) === '-' && at + 2 < given.length;
    if (isRange && last < first) return null;
    for (let code = first; code <= (isRange ? last : first); code++)
      characters.add(String.fromCharCode(code));
    if (isRange) at += 2;
  }
  return [...characters].join('');
}
