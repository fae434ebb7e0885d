import { domainToASCII } from 'node:url';
import { z } from 'zod';
import { costMax, permissionForm } from '../../check/context.ts';
import { readHost } from '../../check/hosts.ts';
import { normalisePath, type Rule } from '../../check/rules.ts';
import { suggestion } from '../nearest-name.ts';
import { text, wholeNumber } from '../setting-forms.ts';
import { cleartext, mode } from './traffic-settings.ts';

/** Registered with IANA, but for PRI, which is no request; and those that caches and UPnP have long used. */
const methods: readonly string[] = [
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'],
  ...['ACL', 'BASELINE-CONTROL', 'BIND', 'CHECKIN', 'CHECKOUT', 'COPY', 'LABEL', 'LINK', 'LOCK', 'MERGE'],
  ...['MKACTIVITY', 'MKCALENDAR', 'MKCOL', 'MKREDIRECTREF', 'MKWORKSPACE', 'MOVE', 'ORDERPATCH', 'PROPFIND'],
  ...['PROPPATCH', 'REBIND', 'REPORT', 'SEARCH', 'UNBIND', 'UNCHECKOUT', 'UNLINK', 'UNLOCK', 'UPDATE'],
  ...['UPDATEREDIRECTREF', 'VERSION-CONTROL', 'PURGE', 'NOTIFY', 'SUBSCRIBE', 'UNSUBSCRIBE', 'M-SEARCH'],
];

const hostError =
  'expected a host name without scheme, port and path, such as api.example.com, or *.example.com for all below it';
const host = z.string({ error: hostError }).transform((given, context) => {
  const read = readHost(given);
  if (read !== null) return read;
  context.addIssue(hostError + otherHost(given));
  return z.NEVER;
});

/** What was meant, where that can be told. */
function otherHost(given: string): string {
  if (given === '*') return '; leave it out for any host';
  const bare = given
    .trim()
    .replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
    .replace(/[/?#].*$/s, '')
    .replace(/:\d*$/, '');
  const ascii = /[^\x20-\x7e]/.test(bare) ? domainToASCII(bare) : bare;
  const [read, isV6] = [readHost(ascii), readHost(`[${given}]`) !== null];
  if (isV6) return `; did you mean "[${given}]"?`;
  return read === null ? '' : `; did you mean ${JSON.stringify(read)}?`;
}

const method = z
  .string({ error: 'expected a method in upper case' })
  .superRefine((given, context) => {
    if (methods.includes(given)) return;
    context.addIssue(`${JSON.stringify(given)} is not a method of HTTP${nearestMethod(given)}`);
  })
  .meta({ enum: [...methods] });

function nearestMethod(given: string): string {
  const near = suggestion(given.toUpperCase(), methods);
  return near.startsWith('; did') ? near : '; expected one that IANA has registered, in upper case';
}

const names = text(
  /^[a-z0-9_-]+( *, *[a-z0-9_-]+)*$/,
  'expected a name, or several with commas between',
).describe('The schemes whose keys are allowed: a name, or several with commas between (default: all).');

const pathError = 'expected a path such as /a/b, or /a/* for all below /a';
const path = z.string({ error: pathError }).superRefine((given, context) => {
  const isPrefix = given.endsWith('/*');
  const fixed = isPrefix ? given.slice(0, -1) : given;
  const normal = normalisePath(fixed);
  if (normal === '' || fixed.includes('*')) context.addIssue(pathError);
  else if (normal !== fixed) {
    context.addIssue(`is not a normal path; expected ${normal}${isPrefix ? '*' : ''}`);
  }
});

const match = z
  .strictObject({
    host: host
      .optional()
      .describe('A host name, or *. and one for all names below it; no port (default: any).'),
    methods: z.array(method).min(1).optional().describe('Methods (default: any).'),
    path: path
      .optional()
      .describe('A normal path, /a/b, or a prefix of one, /a/*, for all below it (default: any).'),
    preflight: z
      .boolean()
      .optional()
      .describe(
        'Whether it is about CORS preflights alone: OPTIONS with Origin and Access-Control-Request-Method. It goes before every rule that is not.',
      ),
  })
  .refine(
    ({ host, methods, path, preflight }) => (host ?? methods ?? path) !== undefined || preflight === true,
    {
      error: 'expected a host, methods, a path or preflight: true',
    },
  )
  .refine(
    ({ methods, preflight }) => preflight !== true || methods === undefined || methods.includes('OPTIONS'),
    {
      error: 'a preflight is an OPTIONS request; expected no methods beside preflight: true',
    },
  );

const rule = z.strictObject({
  match: match.describe('Which requests; the most specific rule holds.'),
  permissions: z
    .array(text(permissionForm, 'expected printable ASCII without spaces and commas'))
    .max(100)
    .default([])
    .describe('What a key must be permitted, all of it; a|b asks for one of the two.'),
  scheme: names.optional(),
  environment: text(/^[a-z0-9_-]+$/, 'expected a name of a-z, 0-9, _ and -')
    .optional()
    .describe("The environment whose keys are allowed (default: the settings' own)."),
  mode: mode
    .optional()
    .describe("Whether these requests are only observed (default: the scheme's, else the settings')."),
  cleartext: cleartext
    .optional()
    .describe(
      "What becomes of these requests when they came by http (default: the scheme's, else the settings').",
    ),
  cost: wholeNumber(0, costMax).optional().describe('Units of rate limit (default: 1).'),
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
