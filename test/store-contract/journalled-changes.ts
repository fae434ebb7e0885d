import fc from 'fast-check';
import { expect, it } from 'vitest';
import { emptyJournal, type JournalHead } from '../../src/journal/journal.ts';
import type { KeyId } from '../../src/keys/key.ts';
import { DuplicateKey, type Store } from '../../src/store/store.ts';
import { digestOf, keyRecord, ownerRecord } from '../records.ts';
import type { CreateStore } from '../store-contract.ts';
import { insertAll, journalDraft, listActions, listChain, nextId, opened, retentionMs } from './setting.ts';

/** Changes and what the journal says of them. */
export function journalledChangeContract(createStore: CreateStore): void {
  it('writes the draft of each change with it', async () => {
    const { store, reopen } = await opened(createStore);
    const key = keyRecord({ id: nextId() });
    const made = keyRecord({ id: nextId() });
    const draft = (action: string) => journalDraft({ action, target: key.id });
    await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs, draft('first'));
    await store.insertKey(key, retentionMs, draft('insert'));
    await store.replaceKey({ ...key, version: 2 }, 1, retentionMs, draft('replace'));
    await store.rotateKey({ old: { ...key, version: 3 }, ifVersion: 2, made }, retentionMs, draft('rotate'));
    await store.insertKeys([keyRecord({ id: nextId() })], retentionMs, () => draft('import'));
    await store.putOwner(ownerRecord(), 0, draft('put'));
    await store.putOwner(ownerRecord({ version: 2 }), 1, draft('put again'));
    const actions = ['first', 'insert', 'replace', 'rotate', 'import', 'put', 'put again'];
    expect(await listActions(await reopen())).toEqual(actions);
  });

  it('writes nothing into the journal where no draft is given', async () => {
    const { store } = await opened(createStore);
    const [key = keyRecord()] = await insertAll(store, [{}]);
    await store.replaceKey({ ...key, version: 2 }, 1, retentionMs);
    await store.putOwner(ownerRecord(), 0);
    await store.insertKeys([keyRecord({ id: nextId() })], retentionMs);
    expect(await listActions(store)).toEqual([]);
  });

  it('writes no draft of a change that was refused', async () => {
    const { store } = await opened(createStore);
    const [key = keyRecord()] = await insertAll(store, [{}]);
    const draft = journalDraft();
    await expect(store.insertKey(key, retentionMs, draft)).rejects.toThrow(DuplicateKey);
    await expect(store.insertFirstKey(key, retentionMs, draft)).rejects.toThrow(DuplicateKey);
    await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs);
    expect(await store.insertFirstKey(keyRecord({ id: nextId() }), retentionMs, draft)).toBe(false);
    expect(await store.replaceKey({ ...key, version: 5 }, 4, retentionMs, draft)).toBe(null);
    expect(await store.putOwner(ownerRecord({ version: 2 }), 1, draft)).toBe(null);
    expect(await listActions(store)).toEqual([]);
  });

  it('keeps a change though the draft that is to be written once was written before', async () => {
    const { store } = await opened(createStore);
    const draft = journalDraft({ action: 'once', once: 'the one' });
    const keys = [keyRecord({ id: nextId() }), keyRecord({ id: nextId() })];
    for (const key of keys) await store.insertKey(key, retentionMs, draft);
    for (const { id } of keys) expect(await store.getKey(id)).toMatchObject({ id });
    expect(await listActions(store)).toEqual(['once']);
  });

  it('writes one entry for each change that was made, and none for any other, in whatever order they come', async () => {
    const { store } = await opened(createStore);
    const model = createModel(store);
    let head: JournalHead = emptyJournal;
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 12 }), async (steps) => {
        const expected: string[] = [];
        for (const step of steps) expected.push(...(await model.take(step)));
        const entries = await listChain(store, head);
        expect(entries.map(({ target }) => target)).toEqual(expected);
        head = entries.at(-1) ?? head;
      }),
      { numRuns: 30 },
    );
  });

  it('writes one entry for each change that was made when many are made at once', async () => {
    const { store } = await opened(createStore);
    const model = createModel(store);
    const steps = fc.sample(anyStep, 40);
    const made = await Promise.all(steps.map((step) => model.take(step)));
    const targets = (await listChain(store)).map(({ target }) => target);
    expect(targets.toSorted()).toEqual(made.flat().toSorted());
  });
}

const kinds = ['insert', 'first', 'import', 'replace', 'rotate', 'owner', 'append'] as const;
interface Step {
  readonly kind: (typeof kinds)[number];
  /** Which of the keys and owners there are, so that steps often meet. */
  readonly place: number;
  readonly version: number;
  /** Whether it is to be refused for something that is taken. */
  readonly isTaken: boolean;
}
const anyStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...kinds),
  place: fc.nat(3),
  version: fc.integer({ min: 1, max: 3 }),
  isTaken: fc.boolean(),
});

/** Takes steps on a store; each names its own draft, and answers the names of those that must be written. */
function createModel(store: Store) {
  const ids = Array.from({ length: 4 }, nextId);
  let steps = 0;

  async function isMade({ kind, place, version, isTaken }: Step, target: string): Promise<boolean> {
    const draft = journalDraft({ target });
    const id = ids[place] as KeyId;
    const next = { ...keyRecord({ id }), version: version + 1 };
    const fresh = nextId();
    const other = keyRecord({ id: fresh, digest: digestOf(isTaken ? id : fresh) });
    switch (kind) {
      case 'insert':
        return await succeeds(store.insertKey(keyRecord({ id }), retentionMs, draft));
      case 'first':
        return await succeeds(store.insertFirstKey(other, retentionMs, draft));
      case 'import': {
        const records = [keyRecord({ id }), other];
        const taken = await store.insertKeys(records, retentionMs, () => draft);
        return taken.length < records.length;
      }
      case 'replace':
        return await succeeds(store.replaceKey(next, version, retentionMs, draft));
      case 'rotate':
        return await succeeds(
          store.rotateKey({ old: next, ifVersion: version, made: other }, retentionMs, draft),
        );
      case 'owner': {
        const record = ownerRecord({ id: `owner ${place}`, version });
        return await succeeds(store.putOwner(record, version - 1, draft));
      }
      case 'append':
        await store.appendJournal([draft]);
        return true;
    }
  }

  return {
    async take(step: Step): Promise<string[]> {
      const target = `step ${++steps}`;
      return (await isMade(step, target)) ? [target] : [];
    },
  };
}

/** Whether a change was made: not refused by null, false or `DuplicateKey`. */
async function succeeds(change: Promise<unknown>): Promise<boolean> {
  try {
    return Boolean(await change);
  } catch (error) {
    if (error instanceof DuplicateKey) return false;
    throw error;
  }
}
