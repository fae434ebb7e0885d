import { z } from 'zod';
import { type Answer, compileTemplate, type Reason, reasonStatus, reasons, TemplateError } from './answer.ts';
import type { Scheme } from './scheme.ts';

/** The fewest random bits that a minted key may carry. */
const randomBitsMin = 128;
const formLengthMax = 512;

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is no header name')
  .transform((name) => name.toLowerCase());
const schemeName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'is made of a-z, 0-9, _ and -');
const environmentName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'is made of a-z, 0-9, _ and -');

/** Characters and ranges of ASCII as in a regular expression's class: `A-Za-z0-9_-`. */
const alphabet = z.string().transform((text, context) => {
  const characters = expandAlphabet(text);
  if (characters !== null) return characters;
  context.addIssue('is no list of printable ASCII characters and ranges such as A-Za-z0-9_-');
  return z.NEVER;
});

const answer = z.strictObject({
  reasons: z.array(z.enum(reasons)).min(1),
  status: z.int().min(400).max(599).optional(),
  headers: z.record(headerName, z.string()).optional(),
  /** JSON with `{{name}}` in it; see `compileTemplate`. */
  body: z.string().transform((text, context) => {
    try {
      return compileTemplate(text);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      context.addIssue(error.message);
      return z.NEVER;
    }
  }),
});

const answers = z.array(answer).transform((list, context): Readonly<Record<Reason, Answer>> => {
  const table = new Map<Reason, Answer>();
  for (const { reasons: given, status, headers, body } of list) {
    for (const reason of given) {
      if (table.has(reason)) context.addIssue(`answers ${reason} twice`);
      table.set(reason, { status: status ?? reasonStatus[reason], headers: Object.entries(headers ?? {}), body });
    }
  }
  const unanswered = reasons.filter((reason) => !table.has(reason));
  if (unanswered.length > 0) context.addIssue(`has no answer for: ${unanswered.join(', ')}`);
  return Object.fromEntries(table) as Record<Reason, Answer>;
});

/** A scheme as it is written down in YAML; what it parses to is ready for use. */
export const schemeSpec = z
  .strictObject({
    name: schemeName,
    places: z
      .array(z.strictObject({ header: headerName, word: z.string().regex(/^[A-Za-z0-9-]+$/).optional() }))
      .min(1)
      .max(8),
    /** Prefix → the environment that its keys belong to. */
    prefixes: z
      .record(z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'is made of letters, digits and _ . -'), environmentName)
      .refine((prefixes) => Object.keys(prefixes).length > 0, 'has no prefix'),
    accept: z.strictObject({
      alphabet,
      length: z.int().min(1).max(formLengthMax).optional(),
      min: z.int().min(1).max(formLengthMax).optional(),
      max: z.int().min(1).max(formLengthMax).optional(),
    }),
    mint: z.strictObject({ alphabet, length: z.int().min(1).max(formLengthMax) }),
    checksum: z.enum(['none', 'crc32']).default('none'),
    forward_credential: z.boolean().default(false),
    answers: answers.optional(),
  })
  .superRefine((spec, context) => {
    const bits = Math.floor(spec.mint.length * Math.log2(spec.mint.alphabet.length));
    if (bits < randomBitsMin) {
      context.addIssue({ code: 'custom', path: ['mint'], message: `gives ${bits} random bits; ${randomBitsMin} are the least` });
    }
    const { lengthMin, lengthMax } = lengths(spec.accept);
    const accepted = new Set(spec.accept.alphabet);
    const fits = spec.mint.length >= lengthMin && spec.mint.length <= lengthMax;
    if (!fits || [...spec.mint.alphabet].some((character) => !accepted.has(character))) {
      context.addIssue({ code: 'custom', path: ['mint'], message: 'makes keys that accept turns away' });
    }
  });

export type SchemeSpec = z.output<typeof schemeSpec>;

/** A scheme as data → a scheme to judge by; one that has no answers of its own takes those of the product. */
export function createScheme(spec: SchemeSpec, defaultAnswers: Scheme['answers']): Scheme {
  return {
    name: spec.name,
    places: spec.places.map(({ header, word }) => ({ header, word: word ?? null })),
    prefixes: Object.entries(spec.prefixes).map(([text, environment]) => ({ text, environment })),
    accept: { characters: new Set(spec.accept.alphabet), ...lengths(spec.accept) },
    mint: spec.mint,
    checksum: spec.checksum,
    forwardCredential: spec.forward_credential,
    answers: spec.answers ?? defaultAnswers,
  };
}

/** The prefixes that one scheme shares with another, so that a key could be taken for either's. */
export function overlappingPrefixes(schemes: readonly Scheme[]): string[] {
  const all = schemes.flatMap(({ name, prefixes }) => prefixes.map(({ text }) => ({ name, text })));
  return all.flatMap((one, index) =>
    all
      .slice(index + 1)
      .filter((other) => one.text.startsWith(other.text) || other.text.startsWith(one.text))
      .map((other) => `${one.name}'s ${one.text} and ${other.name}'s ${other.text}`),
  );
}

function lengths(accept: { length?: number | undefined; min?: number | undefined; max?: number | undefined }) {
  return {
    lengthMin: accept.length ?? accept.min ?? 1,
    lengthMax: accept.length ?? accept.max ?? formLengthMax,
  };
}

function expandAlphabet(text: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(text)) return null;
  const characters = new Set<string>();
  for (let at = 0; at < text.length; at++) {
    const [first, last] = [text.charCodeAt(at), text.charCodeAt(at + 2)];
    const isRange = text.charAt(at + 1) === '-' && at + 2 < text.length;
    if (isRange && last < first) return null;
    for (let code = first; code <= (isRange ? last : first); code++) characters.add(String.fromCharCode(code));
    if (isRange) at += 2;
  }
  return [...characters].join('');
}
