import type { PortalSessionRecord } from '../../keys/portal-session.ts';
import {
  areTexts,
  checkedMembers,
  isCount,
  isText,
  isTime,
  type MemberChecks,
  orNull,
} from './member-checks.ts';

/** The record itself if each member is what {@link PortalSessionRecord} says; throws `BadRecord` if one is not. */
export function checkedPortalSession(
  record: {
    readonly [member in keyof PortalSessionRecord]: unknown;
  },
): PortalSessionRecord {
  return checkedMembers(record, memberChecks, 'a portal session');
}

const memberChecks: MemberChecks<PortalSessionRecord> = {
  id: isText,
  owner: isText,
  permissions: areTexts,
  returnUrl: orNull(isText),
  tokenDigest: isText,
  createdAt: isTime,
  openUntil: isTime,
  openedAt: orNull(isTime),
  expiresAt: isTime,
  endedAt: orNull(isTime),
  version: isCount,
};
