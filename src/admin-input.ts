import { z } from 'zod';
import { parseNetwork } from './address.ts';
import { type FieldViolation, invalidArgument } from './failure.ts';
import { durationSpec, rateLimitSpec } from './plan-spec.ts';
import { parseTime } from './time.ts';

/** Bounds of what an admin call may carry. */
const nameLengthMax = 200;
const listMax = 100;
const labelsMax = 32;
export const pageSizeDefault = 100;
export const pageSizeMax = 1_000;

/** One line of text that any log, header or terminal can show: no control or direction-changing characters. */
function line(lengthMax: number) {
  return z
    .string()
    .min(1, 'is required')
    .refine((text) => [...text].length <= lengthMax, `may have at most ${lengthMax} characters`)
    .refine((text) => text.isWellFormed(), 'is not valid Unicode')
    .refine(
      (text) => !/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u.test(text),
      'holds control characters',
    );
}

/** Text that goes into a header of its own: printable ASCII. */
function token(lengthMax: number, pattern: RegExp, description: string) {
  return line(lengthMax).refine((text) => pattern.test(text), description);
}

const owner = token(
  128,
  /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/,
  'holds printable ASCII characters only',
);
const permission = token(128, /^[\x21-\x2b\x2d-\x7e]+$/, 'holds printable ASCII without spaces and commas');
const label = token(63, /^[A-Za-z0-9][A-Za-z0-9._/-]*$/, 'is made of letters, digits and . _ / -');
const network = line(64).refine((text) => parseNetwork(text) !== null, 'is no IP address and no CIDR block');
const time = z.string().transform((text, context) => {
  const ms = parseTime(text);
  if (ms !== null) return ms;
  context.addIssue('is no RFC 3339 time; write it as 2031-01-31T12:00:00Z');
  return z.NEVER;
});

const none = <T extends z.ZodType>(type: T) => type.nullish().transform((value) => value ?? null);

/** `POST /admin/api-keys` and CreateKeyRequest. */
export const createKeyInput = z
  .strictObject({
    name: line(nameLengthMax),
    scheme: line(64).nullish(),
    environment: line(64).nullish(),
    owner: none(owner),
    permissions: z.array(permission).max(listMax).nullish(),
    ip_allowlist: z.array(network).max(listMax).nullish(),
    expires_at: none(time),
    expires_in: none(z.union([z.literal('never'), durationSpec])),
    plan: none(line(64)),
    rate_limit: none(rateLimitSpec),
    labels: z.record(label, z.union([z.literal(''), line(256)])).nullish(),
    request_id: none(line(128)),
  })
  .refine((input) => input.expires_at === null || input.expires_in === null, {
    path: ['expires_in'],
    message: 'goes without expires_at: give one of them',
  })
  .refine((input) => Object.keys(input.labels ?? {}).length <= labelsMax, {
    path: ['labels'],
    message: `may have at most ${labelsMax} entries`,
  });

/** `GET /admin/api-keys` and ListKeysRequest. */
export const listKeysInput = z.strictObject({
  page_size: z.int().min(0, 'is not negative').max(2_147_483_647).nullish(),
  page_token: z.string().max(512).nullish(),
  owner: owner.nullish(),
  scheme: line(64).nullish(),
  environment: line(64).nullish(),
  state: z.enum(['active', 'disabled', 'revoked', 'expired']).nullish(),
  permission: permission.nullish(),
  name_contains: line(nameLengthMax).nullish(),
});

/** `GET /admin/api-keys/{id}/usage` and GetKeyUsageRequest, without the id. */
export const getKeyUsageInput = z.strictObject({ since: none(time) });

/** `POST /admin/api-keys:verify` and VerifyKeyRequest. */
export const verifyKeyInput = z.strictObject({
  key: z.string().min(1, 'is required').max(4_096),
  method: line(32).nullish(),
  host: line(256).nullish(),
  path: line(8_192).nullish(),
  address: z.union([z.ipv4(), z.ipv6()], 'is no IP address').nullish(),
  scheme: line(64).nullish(),
  environment: line(64).nullish(),
  permissions: z.array(permission).max(listMax).nullish(),
});

export type VerifyKeyInput = z.output<typeof verifyKeyInput>;

/** `PUT /admin/owners/{id}` and PutOwnerRequest, with the id. */
export const putOwnerInput = z.strictObject({
  id: owner,
  plan: none(line(64)),
  active_until: none(time),
  suspended: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
});

/** `GET /admin/owners` and ListOwnersRequest. */
export const listOwnersInput = z.strictObject({
  page_size: z.int().min(0, 'is not negative').max(2_147_483_647).nullish(),
  page_token: z.string().max(512).nullish(),
});

/** Reads an input by its schema; throws INVALID_ARGUMENT that names every field at fault, and never its value. */
export function readInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input, { reportInput: false });
  if (result.success) return result.data;
  throw invalidArgument(result.error.issues.flatMap(violationsOf));
}

function violationsOf(issue: z.core.$ZodIssue): FieldViolation[] {
  const field = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: field === '' ? key : `${field}.${key}`,
      description: 'unknown field',
    }));
  }
  if (issue.code === 'invalid_union') {
    const [first] = issue.errors.flat().filter((inner) => inner.code === 'custom');
    if (first !== undefined) return violationsOf({ ...first, path: [...issue.path, ...first.path] });
  }
  return [{ field: field === '' ? '(body)' : field, description: issue.message }];
}
