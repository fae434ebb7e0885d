import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JournalEntry } from '../../src/journal/journal.ts';
import type { JournalFilter, JournalPage } from '../../src/journal/journal-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { CreateStore } from '../store-contract.ts';
import { journalDraft, listChain, opened, strangeTexts, testNow } from './setting.ts';

/** Pages of the journal, and filters. */
export function journalPageContract(createStore: CreateStore): void {
  it('gives at most as many entries as the page holds, after what is given, in either order', async () => {
    const { store } = await opened(createStore);
    await store.appendJournal(Array.from({ length: 7 }, () => journalDraft()));
    const page = async (order: JournalPage['order'], after: number | null, size: number) =>
      sequences(await store.listJournal({}, { order, after, size }));
    expect(await page('newest', null, 3)).toEqual([7, 6, 5]);
    expect(await page('newest', 5, 3)).toEqual([4, 3, 2]);
    expect(await page('newest', 2, 3)).toEqual([1]);
    expect(await page('newest', 1, 3)).toEqual([]);
    expect(await page('oldest', null, 3)).toEqual([1, 2, 3]);
    expect(await page('oldest', 3, 3)).toEqual([4, 5, 6]);
    expect(await page('oldest', 6, 3)).toEqual([7]);
    expect(await page('oldest', 7, 3)).toEqual([]);
    // A place that has no entry yet is a place too.
    expect(await page('newest', 100, 2)).toEqual([7, 6]);
  });

  it('gives each entry once while others are written between the pages', async () => {
    const { store } = await opened(createStore);
    await store.appendJournal(Array.from({ length: 10 }, () => journalDraft()));
    const seen: number[] = [];
    for (let after: number | null = null; ; after = seen.at(-1) ?? null) {
      const page = sequences(await store.listJournal({}, { order: 'newest', after, size: 3 }));
      seen.push(...page);
      if (page.length < 3) break;
      await store.appendJournal([journalDraft()]);
    }
    expect(seen).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it('takes nothing in a filter for an operator, a pattern or a statement', async () => {
    const { store } = await opened(createStore);
    const texts = strangeTexts.filter((text) => text !== '');
    await store.appendJournal(
      texts.map((text) => journalDraft({ owner: text, actor: text, target: text, action: text })),
    );
    for (const [place, text] of texts.entries()) {
      const filters = (['owner', 'actor', 'target', 'action'] as const).flatMap((member) => [
        { [member]: text },
        { [member]: `${text}%` },
      ]);
      const found = await Promise.all(filters.map((filter) => kept(store, filter)));
      expect(found).toEqual(filters.map((_, at) => (at % 2 === 0 ? [place + 1] : [])));
    }
  });

  it('keeps what all filters keep, in either order, page by page', async () => {
    const clock = { now: testNow };
    const { store } = await createStore({ now: () => clock.now });
    await store.open();
    const times = [-1, 0, 0, 2, 2, 5].map((offset) => testNow + offset);
    for (const [place, now] of times.entries()) {
      clock.now = now;
      await store.appendJournal(fc.sample(someDraft, { numRuns: 8, seed: place }).map(journalDraft));
    }
    const entries = await listChain(store);
    const someFilter = fc.record(
      {
        ...members,
        since: fc.integer({ min: testNow - 2, max: testNow + 6 }),
        until: fc.integer({ min: testNow - 2, max: testNow + 6 }),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(someFilter, fc.constantFrom('newest', 'oldest'), async (filter, order) => {
        const expected = sequences(entries.filter((entry) => keeps(filter, entry)));
        if (order === 'newest') expected.reverse();
        expect(await allPages(store, filter, order)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
}

const either = <T extends string>(...texts: T[]) => fc.constantFrom(...texts);
const members = {
  kind: either('call', 'notice'),
  owner: either('a', 'b'),
  actor: either('key_1', 'key_2'),
  action: either('CreateKey', 'RevokeKey'),
  target: either('key_3', 'key_4'),
  outcome: either('ok', 'refused'),
};
const someDraft = fc.record({
  ...members,
  owner: fc.option(members.owner),
  actor: fc.option(members.actor),
  target: fc.option(members.target),
});

/** What the contract says of a filter, in so many words. */
function keeps(filter: JournalFilter, entry: JournalEntry): boolean {
  const { since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY, ...exact } = filter;
  return (
    entry.at >= since &&
    entry.at < until &&
    Object.entries(exact).every(([member, value]) => entry[member as keyof JournalEntry] === value)
  );
}

async function allPages(store: Store, filter: JournalFilter, order: JournalPage['order']): Promise<number[]> {
  const seen: number[] = [];
  for (let after: number | null = null; ; after = seen.at(-1) ?? null) {
    const page = sequences(await store.listJournal(filter, { order, after, size: 7 }));
    seen.push(...page);
    if (page.length < 7) return seen;
  }
}

async function kept(store: Store, filter: JournalFilter): Promise<number[]> {
  return sequences(await store.listJournal(filter, { order: 'oldest', after: null, size: 100 }));
}

function sequences(entries: readonly JournalEntry[]): number[] {
  return entries.map(({ sequence }) => sequence);
}
