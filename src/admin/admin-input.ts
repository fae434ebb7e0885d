import { z } from 'zod';
import { eventTypes } from '../events/events.ts';
import { type FieldViolation, invalidArgument } from '../failure.ts';
import { sequenceOf } from '../journal/journal.ts';
import { durationSpec } from '../settings/plan-spec.ts';
import {
  askedPermissions,
  expiry,
  externalId,
  ipAllowlist,
  isOneExpiry,
  isOneLimitForm,
  labels,
  line,
  nameLengthMax,
  none,
  owner,
  ownLimits,
  pageSize,
  pageToken,
  permissions,
  requestId,
  roles,
  time,
  twoExpiries,
  twoLimitForms,
  words,
} from './admin-fields.ts';

export const pageSizeDefault = 100;
export const pageSizeMax = 1_000;

/** A whole key, as its user presents it. */
const presentedKey = z.string().min(1, 'is required').max(4_096);

/** `POST /admin/api-keys` and CreateKeyRequest. */
export const createKeyInput = z
  .strictObject({
    name: words(nameLengthMax),
    scheme: words(64).nullish(),
    environment: words(64).nullish(),
    owner: none(owner),
    permissions: permissions.nullish(),
    roles: roles.nullish(),
    ip_allowlist: ipAllowlist.nullish(),
    ...expiry,
    plan: none(words(64)),
    ...ownLimits,
    labels: labels.nullish(),
    external_id: none(externalId),
    request_id: requestId,
  })
  .refine(isOneExpiry, twoExpiries)
  .refine(isOneLimitForm, twoLimitForms);

/** `GET /admin/api-keys/{id}/usage` and GetKeyUsageRequest, without the id. */
export const getKeyUsageInput = z.strictObject({ since: none(time) });

/** `POST /admin/api-keys:find` and FindKeyRequest. */
export const findKeyInput = z.strictObject({ key: presentedKey });

/** `POST /admin/api-keys:verify` and VerifyKeyRequest. */
export const verifyKeyInput = z.strictObject({
  key: presentedKey,
  method: line(32).nullish(),
  host: line(256).nullish(),
  path: line(8_192).nullish(),
  address: z.union([z.ipv4(), z.ipv6()], 'is not an IP address').nullish(),
  scheme: words(64).nullish(),
  environment: words(64).nullish(),
  permissions: askedPermissions.nullish(),
});

export type VerifyKeyInput = z.output<typeof verifyKeyInput>;

const contactLengthMax = 256;
const ownerKeysMax = 1_000_000_000;

/** What describes an owner, and bounds it. */
const ownerMembers = {
  name: words(nameLengthMax),
  contact: words(contactLengthMax),
  billing_anchor: time
    .refine((ms) => ms >= 0, 'is before 1970: write a time from 1970-01-01T00:00:00Z on')
    // Times are told to the second: what is told is what holds.
    .transform((ms) => ms - (ms % 1_000)),
  keys_max: z
    .int('is not a whole number')
    .min(0, 'is not negative')
    .max(ownerKeysMax, `is ${ownerKeysMax} at the most`),
};

/** `PUT /admin/owners/{id}` and PutOwnerRequest, with the id. */
export const putOwnerInput = z.strictObject({
  id: owner,
  plan: none(words(64)),
  active_until: none(time),
  suspended: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  name: none(ownerMembers.name),
  contact: none(ownerMembers.contact),
  labels: labels.nullish(),
  billing_anchor: none(ownerMembers.billing_anchor),
  keys_max: none(ownerMembers.keys_max),
});

/** `PATCH /admin/owners/{id}` and UpdateOwnerRequest, with the id. What is left out stays, null empties. */
export const updateOwnerInput = z.strictObject({
  id: owner,
  plan: words(64).nullable().optional(),
  active_until: time.nullable().optional(),
  suspended: z.boolean().nullable().optional(),
  name: ownerMembers.name.nullable().optional(),
  contact: ownerMembers.contact.nullable().optional(),
  labels: labels.nullable().optional(),
  billing_anchor: ownerMembers.billing_anchor.nullable().optional(),
  keys_max: ownerMembers.keys_max.nullable().optional(),
  etag: line(64).nullish(),
  ...refusedMembers('active created_at updated_at'),
});

/** `GET /admin/owners` and ListOwnersRequest. */
export const listOwnersInput = z.strictObject({
  page_size: pageSize,
  page_token: pageToken,
});

/** `DELETE /admin/api-keys/{id}` and others that say all by their address. */
export const emptyInput = z.strictObject({});

/** `PATCH /admin/api-keys/{id}` and UpdateKeyRequest, without the id. What is left out stays, null empties. */
export const updateKeyInput = z
  .strictObject({
    name: words(nameLengthMax).optional(),
    permissions: permissions.nullable().optional(),
    roles: roles.nullable().optional(),
    ip_allowlist: ipAllowlist.nullable().optional(),
    expires_at: time.nullable().optional(),
    plan: words(64).nullable().optional(),
    ...ownLimits,
    labels: labels.nullable().optional(),
    external_id: externalId.nullable().optional(),
    etag: line(64).nullish(),
    ...refusedMembers(
      'id prefix created_at last_used_at scheme environment owner last4 state updated_at revoked_at rotated_from created_by replaced_by blocked',
    ),
  })
  .refine(isOneLimitForm, twoLimitForms);

/** `POST /admin/leaked-keys` and ReportLeakedKeysRequest. */
export const reportLeakedKeysInput = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        key: z.string().min(1, 'is required').max(4_096),
        url: none(words(2_048)),
        source: none(words(128)),
      }),
    )
    .min(1)
    .max(1_000),
});

/** `GET /admin/events` and WatchKeysRequest. */
export const watchKeysInput = z.strictObject({
  resume_token: z.string().max(64).nullish(),
  types: z
    .array(z.enum(eventTypes, `is none of ${eventTypes.join(', ')}`))
    .max(100)
    .nullish(),
});

/** `POST /admin/api-keys/{id}/rotate` and RotateKeyRequest, without the id. */
export const rotateKeyInput = z
  .strictObject({
    grace_period: none(z.union([z.literal('0s').transform(() => 0), durationSpec])),
    ...expiry,
    request_id: requestId,
  })
  .refine(isOneExpiry, twoExpiries);

/** `GET /admin/audit-events` and ListAuditEventsRequest. */
export const listAuditEventsInput = z.strictObject({
  page_size: pageSize,
  page_token: pageToken,
  actor: none(words(256)),
  action: none(words(64)),
  target: none(words(256)),
  outcome: none(z.enum(['ok', 'refused'])),
  since: none(time),
  until: none(time),
  owner: none(owner),
  notices: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
  order: z
    .enum(['newest', 'oldest'])
    .nullish()
    .transform((value) => value ?? 'newest'),
  after: none(z.string().meta({ pattern: '^evt_[0-9]{16}$' }).transform(eventSequence)),
});

/** Members that are there to be told that they cannot be changed. */
function refusedMembers(names: string) {
  const refused = z.undefined('cannot be changed').optional();
  return Object.fromEntries(names.split(' ').map((name) => [name, refused]));
}

function eventSequence(id: string, context: z.RefinementCtx): number {
  const sequence = sequenceOf(id);
  if (sequence !== null) return sequence;
  context.addIssue('is not an id of an event, as evt_0000000000000001 is one');
  return z.NEVER;
}

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
