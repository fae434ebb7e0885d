import { z } from 'zod';
import { principalFault, principalLengthMax } from '../check/principals.ts';
import { type Limit, limitMax, noLimits } from '../keys/limit.ts';
import { isVisible } from '../keys/name-text.ts';
import { rolesMax } from '../keys/role.ts';
import { type Digest, digestOfSha256 } from '../keys/secret.ts';
import { parseNetwork } from '../net/address.ts';
import { durationSpec, limitListSpec, rateLimitSpec } from '../settings/keys/plan-spec.ts';
import { parseTime } from '../time/time.ts';

/** Bounds of what an admin call may carry. */
const labelsMax = 32;
export const nameLengthMax = 200;
export const listMax = 100;

/** One line of text that any log, header or terminal can show: no control or direction-changing characters. */
export function line(lengthMax: number, text = z.string()) {
  return text
    .min(1, 'is required')
    .refine((text) => [...text].length <= lengthMax, `may have at most ${lengthMax} characters`)
    .refine((text) => text.isWellFormed(), 'is not valid Unicode')
    .refine(
      (text) => !/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u.test(text),
      'holds control characters',
    )
    .meta({ maxLength: lengthMax });
}

/** {@link line} for people: blanks around it are cut off, and something of it can be seen. */
export function words(lengthMax: number) {
  return line(lengthMax, z.string().overwrite(withoutBlanks))
    .refine((text) => text === '' || isVisible(text), 'has no visible character')
    .meta({ maxLength: lengthMax });
}

/** Line ends are no blanks: they are refused as they are within a text. */
function withoutBlanks(text: string): string {
  return text.replace(/^\p{Zs}+|\p{Zs}+$/gu, '');
}

/** Text that goes into a header of its own: printable ASCII. */
function token(lengthMax: number, pattern: RegExp, description: string) {
  return line(lengthMax)
    .refine((text) => text === '' || pattern.test(text), description)
    .meta({ maxLength: lengthMax, pattern: pattern.source });
}

export const owner = token(
  128,
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/,
  'may hold printable ASCII characters only',
);
export const permission = token(
  128,
  /^[\x21-\x2b\x2d-\x7e]+$/,
  'may hold printable ASCII only, without spaces and commas',
);
/** One that a key is given: what separates the permissions of which a route asks for one is none of it. */
export const heldPermission = permission.refine(
  (text) => !text.includes('|'),
  'holds "|", by which a route asks for one of several: give them one by one',
);
export const label = token(
  63,
  /^[A-Za-z0-9][A-Za-z0-9._/-]*$/,
  'may hold letters, digits and . _ / - only, the first a letter or digit',
);
export const network = line(64).refine(
  (text) => parseNetwork(text) !== null,
  'is not an IP address or a CIDR block',
);
export const time = z
  .string()
  .meta({ format: 'date-time' })
  .transform((text, context) => {
    const ms = parseTime(text);
    if (ms !== null) return ms;
    context.addIssue('is not an RFC 3339 time; write it as 2031-01-31T12:00:00Z');
    return z.NEVER;
  });

export const none = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? null);

/** Names and values that the operator gives a key. */
export const labels = z.preprocess(
  refusePrototype,
  z
    .record(label, z.union([z.literal(''), words(256)]))
    .refine((entries) => Object.keys(entries).length <= labelsMax, `may have at most ${labelsMax} entries`)
    .meta({ maxProperties: labelsMax }),
);

/** A member of this name is like any other to whoever reads JSON or protobuf, and no copy of the object has it. */
function refusePrototype(value: unknown, context: z.RefinementCtx): unknown {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) {
    context.addIssue({ code: 'custom', path: ['__proto__'], message: 'is not a name for a label' });
  }
  return value;
}

export const permissions = z.array(heldPermission).max(listMax);
export const roleLengthMax = 128;
/** The id of a role. */
export const role = token(
  roleLengthMax,
  /^[\x21-\x2b\x2d-\x7e]+$/,
  'may hold printable ASCII only, without spaces and commas',
);
export const roles = z.array(role).max(rolesMax);
/** What those who make a key call it. */
export const externalId = line(128);
export const askedPermissions = z.array(permission).max(listMax);
export const ipAllowlist = z.array(network).max(listMax);
/** Of a key: whom a caller's certificate may name. */
const principal = line(principalLengthMax).superRefine((text, context) => {
  const message = principalFault(text);
  if (message !== null) context.addIssue({ code: 'custom', message });
});
export const principals = z.array(principal).max(listMax);
/** Whom a caller's certificate names, nobody where it is empty. */
export const callerPrincipal = z.union([z.literal(''), line(principalLengthMax)]);

/** When a key is to end, in one of two ways. */
export const expiry = {
  expires_at: none(time),
  expires_in: none(z.union([z.literal('never'), durationSpec])),
};

/** Refines an input that has both ways. */
export function isOneExpiry(input: { readonly expires_at: unknown; readonly expires_in: unknown }): boolean {
  return input.expires_at === null || input.expires_in === null;
}

export const twoExpiries = { path: ['expires_in'], message: 'goes without expires_at: give one of them' };

/** The limits of a key itself, in one of two ways: the short one, or all of them. */
export const ownLimits = {
  rate_limit: rateLimitSpec.nullable().optional(),
  rate_limits: limitListSpec.nullable().optional(),
};

type OwnLimits = { readonly [way in keyof typeof ownLimits]?: readonly Limit[] | null | undefined };

/** Refines an input that has both ways. */
export function isOneLimitForm({ rate_limit, rate_limits }: OwnLimits): boolean {
  return rate_limit == null || rate_limits == null;
}

export const twoLimitForms = { path: ['rate_limits'], message: 'goes without rate_limit: give one of them' };

/** The limits that are asked for, none where one of the two is null; undefined where neither is there. */
export function limitsAsked({ rate_limit, rate_limits }: OwnLimits): readonly Limit[] | undefined {
  if (rate_limit === undefined && rate_limits === undefined) return undefined;
  return rate_limits ?? rate_limit ?? noLimits;
}

/** Names one of the limits of a key. */
export const limitName = z
  .string()
  .regex(/^[a-z0-9_-]{1,32}$/, 'must be 1 to 32 characters of a-z, 0-9, _ and -')
  .meta({ maxLength: 32 });

const unitsError = `must be a whole number from -${limitMax} to ${limitMax}, and not 0`;
/** Units that were spent; less than 0 gives back. */
export const unitsToCharge = z
  .number({ error: unitsError })
  .refine((units) => Number.isInteger(units) && units !== 0 && Math.abs(units) <= limitMax, unitsError)
  .meta({ type: 'integer', minimum: -limitMax, maximum: limitMax });

export const requestId = none(line(128));

/** What a header names a call, as it may be written down: printable ASCII; null for anything else. */
export function callName(header: string | null): string | null {
  const isName = header !== null && /^(?! )[\x20-\x7e]{1,128}(?<! )$/.test(header);
  return isName ? header : null;
}

export const pageSize = z.int().min(0, 'must not be negative').max(2_147_483_647).nullish();
/** One of a list by name holds a name. */
export const pageToken = z.string().max(2_048).nullish();

/** A whole key's, in any of the ways that people write one. */
export const sha256 = z.string().transform((text, context): Digest => {
  const digest = digestOfSha256(text);
  if (digest !== null) return digest;
  context.addIssue('is not a SHA-256: write its 32 bytes as 64 hexadecimal digits, base64 or base64url');
  return z.NEVER;
});
