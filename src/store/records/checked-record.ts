import type { KeyRecord } from '../../keys/key.ts';
import { isLimit } from '../../keys/limit.ts';
import {
  areTexts,
  checkedMembers,
  isCount,
  isText,
  isTime,
  type MemberChecks,
  orNull,
} from './member-checks.ts';

/** The record itself if each member is what {@link KeyRecord} says; throws `BadRecord` if one is not. */
export function checkedRecord(record: { readonly [member in keyof KeyRecord]: unknown }): KeyRecord {
  return checkedMembers(record, memberChecks);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const memberChecks: MemberChecks<KeyRecord> = {
  id: isText,
  digest: isText,
  name: isText,
  scheme: isText,
  environment: isText,
  prefix: isText,
  last4: isText,
  owner: orNull(isText),
  permissions: areTexts,
  roles: areTexts,
  ipAllowlist: areTexts,
  principals: areTexts,
  plan: orNull(isText),
  rateLimits: (value) => Array.isArray(value) && value.every(isLimit),
  labels: (value) => isObject(value) && Object.values(value).every(isText),
  createdAt: isTime,
  updatedAt: isTime,
  lastUsedAt: orNull(isTime),
  expiresAt: orNull(isTime),
  disabledAt: orNull(isTime),
  revokedAt: orNull(isTime),
  revivedAt: orNull(isTime),
  rotatedFrom: orNull(isText),
  rotatedTo: orNull(isText),
  spender: isText,
  externalId: orNull(isText),
  createdBy: orNull(isText),
  importId: orNull(isText),
  requestKey: orNull(isText),
  version: isCount,
};
