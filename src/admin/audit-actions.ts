import { invalidArgument } from '../failure.ts';
import { type NoticeAction, noticeActions } from '../journal/journal.ts';
import type { JournalFilter } from '../journal/journal-store.ts';
import { nearestName } from '../settings/nearest-name.ts';
import type { Store } from '../store/store.ts';
import { type OperationName, operationPermissions } from './operation-permissions.ts';

/** What entries of the journal may be called: operations, notices, and what is neither. */
export type AuditAction = OperationName | NoticeAction | 'RefusedCalls' | 'RestoreStore';
export const auditActions: readonly string[] = [
  ...[...Object.keys(operationPermissions), ...noticeActions],
  ...['RefusedCalls', 'RestoreStore'],
];

/** Throws INVALID_ARGUMENT for a filter that kept nothing by an action that there is not, and no entry has. */
export async function requireKnownAction(
  store: Pick<Store, 'listJournal'>,
  { action }: JournalFilter,
): Promise<void> {
  if (action === undefined || auditActions.includes(action)) return;
  // Another release may have written it.
  const written = await store.listJournal({ action }, { after: null, order: 'newest', size: 1 });
  if (written.length > 0) return;
  const nearest = nearestName(action, auditActions);
  const hint = nearest === null ? 'RevokeKey is one' : `did you mean ${nearest}?`;
  throw invalidArgument([{ field: 'action', description: `is the name of no call; ${hint}` }]);
}
