import { type BadKind, BadRecord } from '../store.ts';

/** Whether a value that was stored is what a member of a record may be. */
export type MemberCheck = (value: unknown) => boolean;
export type MemberChecks<R> = { readonly [member in keyof R]: MemberCheck };

export const isText: MemberCheck = (value) => typeof value === 'string';
export const isTime: MemberCheck = (value) => Number.isSafeInteger(value);
export const isCount: MemberCheck = (value) => Number.isSafeInteger(value) && Number(value) >= 1;
export const areTexts: MemberCheck = (value) => Array.isArray(value) && value.every(isText);

export function orNull(isRight: MemberCheck): MemberCheck {
  return (value) => value === null || isRight(value);
}

/**
 * The record itself if each member passes its check, in their order; throws {@link BadRecord}, which names the first
 * that does not and what the record should have been (`a key` by default).
 */
export function checkedMembers<R extends { readonly id: unknown }>(
  record: { readonly [member in keyof R]: unknown },
  checks: MemberChecks<R>,
  what?: BadKind,
): R {
  // Without a list of them made for each record of a page.
  for (const member in checks) {
    if (!checks[member](record[member])) throw new BadRecord(String(record.id), member, what);
  }
  return record as R;
}
