import { expect, it } from 'vitest';
import { createJournalTail } from '../../src/events/journal-tail.ts';
import type { JournalEntry } from '../../src/journal/journal.ts';
import { until } from '../real/until.ts';

/** A journal whose entries are added by hand, and how often it was asked for them. */
function createJournal() {
  const entries: JournalEntry[] = [];
  const journal = {
    asked: 0,
    add: () => void entries.push({ sequence: entries.length + 1 } as JournalEntry),
    listJournal: async (_: unknown, { after }: { readonly after: number | null }) => {
      journal.asked++;
      return entries.filter(({ sequence }) => sequence > (after ?? 0));
    },
  };
  return journal;
}

const longMs = 3_600_000;

it('who need not know at once is told of many entries together, and of what came while another looked', async () => {
  const journal = createJournal();
  const tail = createJournalTail({ store: journal, onError() {} }, { pollMs: longMs, restMs: 0 });
  const { signal } = new AbortController();
  const unhurried = (after: number) => tail.wait(after, longMs, signal, longMs);
  journal.add();
  tail.wake();
  // The first look is at once, however long the rest after it.
  expect(await unhurried(0)).toBe(true);
  expect(journal.asked).toBe(1);

  let isTold = false;
  const told = unhurried(1).then((isThere) => {
    isTold = isThere;
  });
  for (let entry = 0; entry < 5; entry++) {
    journal.add();
    tail.wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([journal.asked, isTold]).toEqual([1, false]);

  expect(await tail.wait(1, longMs, signal)).toBe(true);
  await told;
  expect([journal.asked, isTold]).toEqual([2, true]);
  expect(await tail.read(1)).toHaveLength(5);
  tail.close();
});

it('asks the store for what others wrote as often as ever while nobody is in a hurry', async () => {
  const journal = createJournal();
  const tail = createJournalTail({ store: journal, onError() {} }, { pollMs: 5, restMs: 0 });
  const told = tail.wait(0, longMs, new AbortController().signal, 10);
  await until('it has asked again', () => journal.asked > 2);
  journal.add();
  expect(await told).toBe(true);
  tail.close();
});
