import { invalidArgument } from '../failure.ts';
import { noticeActions } from '../journal/journal.ts';
import type { JournalFilter } from '../journal/journal-store.ts';
import { nearestName } from '../settings/nearest-name.ts';
import type { Store } from '../store/store.ts';
import { operationPermissions } from './operation-permissions.ts';

/** What entries of the journal may be called: operations, notices, and what is neither. */
const actions = [...Object.keys(operationPermissions), ...noticeActions, 'RefusedCalls', 'RestoreStore'];

/** Throws INVALID_ARGUMENT for a filter that kept nothing by an action that there is not, and no entry has. */
export async function requireKnownAction(
  store: Pick<Store, 'listJournal'>,
  { action }: JournalFilter,
): Promise<void> {
  if (action === undefined || actions.includes(action)) return;
  // Another release may have written it.
  const written = await store.listJournal({ action }, { after: null, order: 'newest', size: 1 });
  if (written.length > 0) return;
  const nearest = nearestName(action, actions);
  const hint = nearest === null ? 'RevokeKey is one' : `did you mean ${nearest}?`;
  throw invalidArgument([{ field: 'action', description: `is the name of no call; ${hint}` }]);
}
