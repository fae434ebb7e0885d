import type { KeyRecord } from '../keys/key.ts';
import { isLimit } from '../keys/limit.ts';
import { BadRecord } from './store.ts';

/** The record itself if each member is what {@link KeyRecord} says; throws {@link BadRecord} if one is not. */
export function checkedRecord(record: { readonly [member in keyof KeyRecord]: unknown }): KeyRecord {
  for (const [member, isRight] of Object.entries(memberChecks)) {
    if (!isRight(record[member as keyof KeyRecord])) throw new BadRecord(String(record.id), member);
  }
  return record as KeyRecord;
}

type Check = (value: unknown) => boolean;
const isText: Check = (value) => typeof value === 'string';
const isTime: Check = (value) => Number.isSafeInteger(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 1;
const areTexts: Check = (value) => Array.isArray(value) && value.every(isText);
const orNull =
  (isRight: Check): Check =>
  (value) =>
    value === null || isRight(value);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const memberChecks: { readonly [member in keyof KeyRecord]: Check } = {
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
