import { z } from 'zod';
import { normaliseHost, normalisePath, type Rule } from '../check/rules.ts';
import { text, wholeNumber } from './setting-forms.ts';

const names = text(
  /^[a-z0-9_-]+( *, *[a-z0-9_-]+)*$/,
  'expected a name, or several with commas between',
).describe('The schemes whose keys are let in: a name, or several with commas between (default: all).');

const pathError = 'expected a path such as /a/b, or /a/* for all below /a';
const path = z.string({ error: pathError }).superRefine((given, context) => {
  const isPrefix = given.endsWith('/*');
  const fixed = isPrefix ? given.slice(0, -1) : given;
  const normal = normalisePath(fixed);
  if (normal === '' || fixed.includes('*')) context.addIssue(pathError);
  else if (normal !== fixed) {
    context.addIssue(`is no normal path; expected ${normal}${isPrefix ? '*' : ''}`);
  }
});

const match = z
  .strictObject({
    host: z.string().min(1).transform(normaliseHost).optional().describe('A host name (default: any).'),
    methods: z
      .array(text(/^[A-Z]+$/, 'expected a method in upper case'))
      .min(1)
      .optional()
      .describe('Methods (default: any).'),
    path: path
      .optional()
      .describe('A normal path, /a/b, or a prefix of one, /a/*, for all below it (default: any).'),
  })
  .refine((given) => Object.keys(given).length > 0, { error: 'expected a host, methods or a path' });

const rule = z.strictObject({
  match: match.describe('Which requests; the most specific rule holds.'),
  permissions: z
    .array(text(/^[\x21-\x2b\x2d-\x7e]{1,128}$/, 'expected printable ASCII without spaces and commas'))
    .max(100)
    .default([])
    .describe('What a key must be permitted, all of it.'),
  scheme: names.optional(),
  environment: text(/^[a-z0-9_-]+$/, 'expected a name of a-z, 0-9, _ and -')
    .optional()
    .describe("The environment whose keys are let in (default: the settings' own)."),
  cost: wholeNumber(0, 1_000_000_000).optional().describe('Units of rate limit (default: 1).'),
  public: z.boolean().default(false).describe('Whether no key is looked for; the path must arrive normal.'),
});

export const ruleSpec = rule.transform(({ public: isPublic, ...rest }) => ({ ...rest, isPublic }) as Rule);

/** What can be read of a rule, however wrong the rest is. */
export function readableRule(given: unknown): { readonly match?: Rule['match']; readonly scheme?: string } {
  const members = z.looseObject({}).safeParse(given).data ?? {};
  const read = {
    match: match.safeParse(members.match).data as Rule['match'] | undefined,
    scheme: names.safeParse(members.scheme).data,
  };
  return {
    ...(read.match !== undefined && { match: read.match }),
    ...(read.scheme !== undefined && { scheme: read.scheme }),
  };
}
