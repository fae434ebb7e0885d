import type { PortalSessionRecord } from '../keys/portal-session.ts';
import { BadRecord } from './store.ts';

/** The record itself if each member is what {@link PortalSessionRecord} says; throws `BadRecord` if one is not. */
export function checkedPortalSession(
  record: {
    readonly [member in keyof PortalSessionRecord]: unknown;
  },
): PortalSessionRecord {
  for (const [member, isRight] of Object.entries(memberChecks)) {
    if (isRight(record[member as keyof PortalSessionRecord])) continue;
    throw new BadRecord(String(record.id), member, 'a portal session');
  }
  return record as PortalSessionRecord;
}

const isText = (value: unknown) => typeof value === 'string';
const isTime = (value: unknown) => Number.isSafeInteger(value);

const memberChecks: { readonly [member in keyof PortalSessionRecord]: (value: unknown) => boolean } = {
  id: isText,
  owner: isText,
  permissions: (value) => Array.isArray(value) && value.every(isText),
  returnUrl: (value) => value === null || isText(value),
  tokenDigest: isText,
  createdAt: isTime,
  openUntil: isTime,
  openedAt: (value) => value === null || isTime(value),
  expiresAt: isTime,
  endedAt: (value) => value === null || isTime(value),
  version: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};
