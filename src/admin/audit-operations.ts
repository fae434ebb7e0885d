import type { JournalEntry } from '../journal/journal.ts';
import type { JournalFilter } from '../journal/journal-store.ts';
import type { Store } from '../store/store.ts';
import { listAuditEventsInput, readInput } from './admin-input.ts';
import { type Call, ownerFor } from './call.ts';
import { cut, pageSize } from './page.ts';
import { readAuditToken, writeAuditToken } from './page-token.ts';

export interface AuditPage {
  /** Newest first, unless the input asks for the oldest first. */
  readonly events: readonly JournalEntry[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

export interface AuditOperations {
  /** Calls that changed something or were refused; an admin key that has an owner sees those about its keys. */
  listAuditEvents(call: Call, input: unknown): Promise<AuditPage>;
}

export function createAuditOperations({
  store,
}: {
  readonly store: Pick<Store, 'listJournal'>;
}): AuditOperations {
  return {
    async listAuditEvents(call, input) {
      const {
        page_size,
        page_token,
        owner: askedOwner,
        notices,
        order,
        after,
        ...asked
      } = readInput(listAuditEventsInput, input);
      const owner = ownerFor(call, askedOwner);
      const filter: JournalFilter = {
        ...(!notices && { kind: 'call' }),
        ...(owner !== null && { owner }),
        ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null)),
      };
      const query = { ...filter, order };
      const begin = page_token ? readAuditToken(page_token, query) : after;
      const size = pageSize(page_size);
      const found = await store.listJournal(filter, { order, after: begin, size: size + 1 });
      const { shown, last } = cut(found, size);
      return { events: shown, nextPageToken: last === null ? null : writeAuditToken(last.sequence, query) };
    },
  };
}
