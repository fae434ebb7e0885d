import type { JournalEntry } from '../journal/journal.ts';
import type { JournalFilter, JournalPage } from '../journal/journal-store.ts';
import { isKeyId, type KeyId, type KeyRecord } from '../keys/key.ts';
import { nullIfBad, type Store } from '../store/store.ts';
import { listAuditEventsInput } from './admin-input.ts';
import { requireKnownAction } from './audit-actions.ts';
import { type Call, ownerFor, visibleTo } from './call.ts';
import { findKeyLine, type LineView } from './key-line.ts';
import { cut, pageSize } from './page.ts';
import { readAuditToken, writeAuditToken } from './page-token.ts';
import { readInput } from './read-input.ts';

export interface AuditPage {
  /** Newest first, unless the input asks for the oldest first. */
  readonly events: readonly JournalEntry[];
  /** Null on the last page. */
  readonly nextPageToken: string | null;
}

export interface AuditOperations {
  /**
   * Calls that changed something or were refused; an admin key that has an owner sees those about its keys. What is
   * about a key has the entry of the rotation or of the import that made it, for as long as the key's record is there;
   * its history has those of all keys of its line of rotations.
   */
  listAuditEvents(call: Call, input: unknown): Promise<AuditPage>;
}

export function createAuditOperations({
  store,
}: {
  readonly store: Pick<Store, 'listJournal' | 'getKey'>;
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
        history,
        ...asked
      } = readInput(listAuditEventsInput, input);
      const owner = ownerFor(call, askedOwner);
      const filter: JournalFilter = {
        ...(!notices && { kind: 'call' }),
        ...(owner !== null && { owner }),
        ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null)),
      };
      const query = { ...filter, order, history };
      const begin = page_token ? readAuditToken(page_token, query) : after;
      const size = pageSize(page_size);
      const page = { order, after: begin, size: size + 1 };
      const found = history
        ? await ofLine(filter, page, { isVisible: visibleTo(call), owner })
        : await ofTarget(filter, page, await madeBy(call, filter.target));
      const { shown, last } = cut(found, size);
      if (shown.length === 0 && begin === null) await requireKnownAction(store, filter);
      return { events: shown, nextPageToken: last === null ? null : writeAuditToken(last.sequence, query) };
    },
  };

  /** All that is about the keys of the line, each of which has its own entries. */
  async function ofLine(
    { target, ...filter }: JournalFilter,
    page: JournalPage,
    view: LineView,
  ): Promise<JournalEntry[]> {
    const { keys, imports } = await findKeyLine(store, target as KeyId, view);
    let found: JournalEntry[] = [];
    // One after another, and no more of them in memory than a page.
    for (const each of [...keys, ...imports]) {
      const more = await store.listJournal({ ...filter, target: each }, page);
      found = inOrder([...found, ...more], page.order).slice(0, page.size);
    }
    return found;
  }

  async function ofTarget(
    filter: JournalFilter,
    page: JournalPage,
    made: KeyRecord | null,
  ): Promise<JournalEntry[]> {
    const found = await Promise.all(filtersFor(filter, made).map((each) => store.listJournal(each, page)));
    return inOrder(found.flat().filter(isAbout(filter.target)), page.order);
  }

  /** The key that is asked about, so that what made it can be found; null where there is none that is to be seen. */
  async function madeBy(call: Call, target: string | undefined): Promise<KeyRecord | null> {
    if (target === undefined || !isKeyId(target)) return null;
    const key = await store.getKey(target).catch(nullIfBad);
    return key !== null && visibleTo(call)(key) ? key : null;
  }
}

/** What is about a key, by itself and by the entry that made it, which is of the key before or of an import. */
function filtersFor(filter: JournalFilter, made: KeyRecord | null): JournalFilter[] {
  const filters = [filter];
  if (
    made?.rotatedFrom != null &&
    (filter.action ?? 'RotateKey') === 'RotateKey' &&
    filter.outcome !== 'refused'
  ) {
    filters.push({ ...filter, target: made.rotatedFrom, action: 'RotateKey', outcome: 'ok' });
  }
  if (made?.importId != null) filters.push({ ...filter, target: made.importId });
  return filters;
}

/** A key is rotated once: what is found beside is of no other, unless the journal was changed. */
function isAbout(target: string | undefined): (entry: JournalEntry) => boolean {
  return ({ action, after, ...entry }) => {
    if (target === undefined || entry.target === target || action !== 'RotateKey') return true;
    const made = Object(Object(after).made) as { readonly id?: unknown };
    return made.id === target;
  };
}

function inOrder(entries: readonly JournalEntry[], order: 'newest' | 'oldest'): JournalEntry[] {
  const sign = order === 'newest' ? -1 : 1;
  return entries.toSorted((one, other) => sign * (one.sequence - other.sequence));
}
