import { z } from 'zod';
import { eventTypes } from '../events/events.ts';
import { sequenceOf } from '../journal/journal.ts';
import { isKeyId } from '../keys/key.ts';
import { durationSpec } from '../settings/keys/plan-spec.ts';
import {
  askedPermissions,
  callerPrincipal,
  expiry,
  externalId,
  ipAllowlist,
  isOneExpiry,
  isOneLimitForm,
  labels,
  limitName,
  line,
  nameLengthMax,
  none,
  owner,
  ownLimits,
  pageSize,
  pageToken,
  permissions,
  principals,
  requestId,
  roles,
  sha256,
  time,
  twoExpiries,
  twoLimitForms,
  unitsToCharge,
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
    principals: principals.nullish(),
    ...expiry,
    plan: none(words(64)),
    ...ownLimits,
    labels: labels.nullish(),
    external_id: none(externalId),
    request_id: requestId,
    sha256: none(sha256),
    prefix: none(line(32)),
    last4: none(line(4)),
  })
  .refine(isOneExpiry, twoExpiries)
  .refine(isOneLimitForm, twoLimitForms)
  .refine(({ sha256: digest, prefix }) => digest !== null || prefix === null, {
    path: ['prefix'],
    message: 'goes with sha256 alone; of a key that is made it is read from the key',
  })
  .refine(({ sha256: digest, last4 }) => digest !== null || last4 === null, {
    path: ['last4'],
    message: 'goes with sha256 alone; of a key that is made it is read from the key',
  });

/** `GET /admin/api-keys/{id}/usage` and GetKeyUsageRequest, without the id. */
export const getKeyUsageInput = z.strictObject({ since: none(time) });

/** `POST /admin/api-keys/{id}:charge` and ChargeKeyRequest, without the id. */
export const chargeKeyInput = z.strictObject({
  limit: none(limitName),
  units: unitsToCharge,
  request_id: requestId,
});

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
  principal: callerPrincipal.nullish(),
});

export type VerifyKeyInput = z.output<typeof verifyKeyInput>;

/** `DELETE /admin/api-keys/{id}` and others that say all by their address. */
export const emptyInput = z.strictObject({});

/** `PATCH /admin/api-keys/{id}` and UpdateKeyRequest, without the id. What is left out stays, null empties. */
export const updateKeyInput = z
  .strictObject({
    name: words(nameLengthMax).optional(),
    permissions: permissions.nullable().optional(),
    roles: roles.nullable().optional(),
    ip_allowlist: ipAllowlist.nullable().optional(),
    principals: principals.nullable().optional(),
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
  types: z.array(z.enum(eventTypes)).max(100).nullish(),
});

const gracePeriod = none(z.union([z.literal('0s').transform(() => 0), durationSpec]));

/** `POST /admin/api-keys/{id}/rotate` and RotateKeyRequest, without the id. */
export const rotateKeyInput = z
  .strictObject({
    grace_period: gracePeriod,
    ...expiry,
    request_id: requestId,
  })
  .refine(isOneExpiry, twoExpiries);

/** `POST /api-key:rotate`, by the key itself. */
export const holderRotateInput = z.strictObject({ grace_period: gracePeriod, request_id: requestId });

/** `GET /admin/audit-events` and ListAuditEventsRequest. */
export const listAuditEventsInput = z
  .strictObject({
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
    history: z
      .boolean()
      .nullish()
      .transform((value) => value ?? false),
  })
  .refine(({ history, target }) => !history || (target !== null && isKeyId(target)), {
    path: ['history'],
    message: 'goes with target, the id of a key',
  });

/** Members that are there to be told that they cannot be changed. */
export function refusedMembers(names: string) {
  const refused = z.undefined('cannot be changed').optional();
  return Object.fromEntries(names.split(' ').map((name) => [name, refused]));
}

function eventSequence(id: string, context: z.RefinementCtx): number {
  const sequence = sequenceOf(id);
  if (sequence !== null) return sequence;
  context.addIssue('is not an id of an event, as evt_0000000000000001 is one');
  return z.NEVER;
}
