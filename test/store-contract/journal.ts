import fc from 'fast-check';
import { expect, it } from 'vitest';
import { emptyJournal, entriesAfter, hashOf } from '../../src/journal/journal.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import type { CreateStore } from '../store-contract.ts';
import { journalDraft, listActions, listChain, opened, strangeTexts, testNow } from './setting.ts';

/** Writing the journal, and what it is made of. */
export function journalContract(createStore: CreateStore): void {
  it('gives entries back as the chain that the drafts make in their order', async () => {
    const { store } = await opened(createStore);
    const drafts = ['CreateKey', 'RevokeKey', 'PutOwner'].map((action) => journalDraft({ action }));
    await store.appendJournal(drafts.slice(0, 2));
    await store.appendJournal(drafts.slice(2));
    expect(await listChain(store)).toEqual(entriesAfter(emptyJournal, drafts, testNow));
  });

  it('keeps every draft to the letter, whatever is in it, so that its hash holds', async () => {
    const { store } = await opened(createStore);
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...strangeTexts));
    const json = fc.oneof(fc.jsonValue(), fc.dictionary(text, fc.jsonValue()));
    const anyDraft = fc.record({
      kind: fc.constantFrom('call' as const, 'notice' as const),
      actor: fc.option(text),
      action: text,
      target: fc.option(text),
      owner: fc.option(text),
      outcome: fc.constantFrom('ok' as const, 'refused' as const),
      error: fc.option(text),
      address: fc.option(text),
      requestId: fc.option(text),
      before: json,
      after: json,
      once: fc.constant(null),
    });
    let head = emptyJournal;
    await fc.assert(
      fc.asyncProperty(fc.array(anyDraft, { minLength: 1, maxLength: 5 }), async (drafts) => {
        await store.appendJournal(drafts);
        const written = await listChain(store, head);
        const expected = entriesAfter(head, drafts, testNow);
        head = expected.at(-1) ?? head;
        // As text: `toEqual` sees neither the order of members nor one that is named `__proto__`.
        expect(written.map(textOf)).toEqual(expected.map(textOf));
      }),
      { numRuns: 40 },
    );
  });

  it('keeps half a character as the sign that stands for one, and its hash holds', async () => {
    const { store } = await opened(createStore);
    const half = 'a\ud83d';
    await store.appendJournal([journalDraft({ target: half, after: { name: half } })]);
    expect(await listChain(store)).toMatchObject([{ target: 'a\ufffd' }]);
  });

  it('keeps the order of members of what was before and after, which is part of the hash', async () => {
    const { store, reopen } = await opened(createStore);
    await store.appendJournal([journalDraft({ before: { b: 1, a: { d: [], c: null } } })]);
    const [entry] = await listChain(await reopen());
    expect(JSON.stringify(entry?.before)).toBe('{"b":1,"a":{"d":[],"c":null}}');
  });

  it('goes on with the chain for whoever opens the data next', async () => {
    const { store, reopen } = await opened(createStore);
    await store.appendJournal([journalDraft({ action: 'one' })]);
    const another = await reopen();
    await another.appendJournal([journalDraft({ action: 'two' })]);
    expect(await listActions(another)).toEqual(['one', 'two']);
  });

  it('leaves no gap and no fork, however many write at once', async () => {
    const { store } = await opened(createStore);
    const writers = Array.from({ length: 20 }, (_, index) => `writer ${index}`);
    await Promise.all(
      writers.map((actor) =>
        store.appendJournal([journalDraft({ actor, action: 'one' }), journalDraft({ actor, action: 'two' })]),
      ),
    );
    const entries = await listChain(store);
    // What was given together stands together.
    const pairs = entries.map(({ actor, action }, place) => (place % 2 === 0 ? `${actor} ${action}` : actor));
    expect(pairs.filter((_, place) => place % 2 === 0).toSorted()).toEqual(
      writers.map((actor) => `${actor} one`).toSorted(),
    );
    for (const [place, { actor }] of entries.entries())
      expect(actor).toBe(entries[place - (place % 2)]?.actor);
  });

  it('never goes back in time, though the clock may', async () => {
    const clock = { now: testNow };
    const { store } = await createStore({ now: () => clock.now });
    await store.open();
    for (const now of [testNow, testNow - 5_000, testNow + 5]) {
      clock.now = now;
      await store.appendJournal([journalDraft()]);
    }
    expect((await listChain(store)).map(({ at }) => at)).toEqual([testNow, testNow, testNow + 5]);
  });

  it('writes a draft once that is to be written once, and what is given with it', async () => {
    const { store, reopen } = await opened(createStore);
    const once = (action: string, name: string) => journalDraft({ action, once: name });
    await store.appendJournal([once('one', 'a'), once('again', 'a'), once('two', 'b')]);
    await store.appendJournal([journalDraft({ action: 'three' }), once('again', 'b'), once('four', 'c')]);
    const another = await reopen();
    await another.appendJournal([once('again', 'a')]);
    expect(await listActions(another)).toEqual(['one', 'two', 'three', 'four']);
  });

  it('writes it once, however many try at once', async () => {
    const { store } = await opened(createStore);
    const draft = journalDraft({ action: 'KeyExpiring', once: 'key_1 expires' });
    await Promise.all(Array.from({ length: 20 }, () => store.appendJournal([draft])));
    expect(await listActions(store)).toEqual(['KeyExpiring']);
  });

  it('writes nothing when there is nothing', async () => {
    const { store } = await opened(createStore);
    await store.appendJournal([]);
    expect(await listChain(store)).toEqual([]);
  });

  it('rejects every call about the journal while it is not open with StoreUnavailable', async () => {
    const { store } = await createStore({ now: () => testNow });
    const page = { order: 'newest', after: null, size: 1 } as const;
    await expect(store.appendJournal([journalDraft()])).rejects.toThrow(StoreUnavailable);
    await expect(store.listJournal({}, page)).rejects.toThrow(StoreUnavailable);
    await store.open();
    await store.close();
    await expect(store.appendJournal([journalDraft()])).rejects.toThrow(StoreUnavailable);
    await expect(store.listJournal({}, page)).rejects.toThrow(StoreUnavailable);
  });
}

/** Every member of an entry, in an order of its own. */
function textOf(entry: Parameters<typeof hashOf>[0] & { readonly hash: string }): string {
  return JSON.stringify([entry.sequence, entry.hash, hashOf(entry), entry.before, entry.after]);
}
