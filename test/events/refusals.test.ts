import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRefusals, floodMax, type Refusals, type RefusalsOptions } from '../../src/events/refusals.ts';
import type { JournalDraft } from '../../src/journal/journal.ts';
import { journalDraft } from '../store-contract/setting.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const monotonic = () => performance.now();

function refused(actor: string | null): JournalDraft {
  return journalDraft({ outcome: 'refused', error: 'PERMISSION_DENIED', actor });
}

/** Refusals that write at once. */
function journalling(options: RefusalsOptions = {}) {
  const writes: JournalDraft[][] = [];
  const store = { appendJournal: async (drafts: readonly JournalDraft[]) => void writes.push([...drafts]) };
  const onError = (error: unknown) => {
    throw error;
  };
  return { writes, refusals: createRefusals({ store, monotonic, onError }, options) };
}

/** Refusals whose store answers when it is told to. */
function stuck(options: RefusalsOptions = {}) {
  const writes: { readonly drafts: readonly JournalDraft[]; readonly end: (error?: unknown) => void }[] = [];
  const errors: unknown[] = [];
  const store = {
    appendJournal: (drafts: readonly JournalDraft[]) =>
      new Promise<void>((resolve, reject) => {
        writes.push({ drafts, end: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
  };
  const refusals = createRefusals({ store, monotonic, onError: (error) => errors.push(error) }, options);
  return { writes, errors, refusals };
}

async function recordAll(refusals: Refusals, actor: string | null, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => refusals.record(refused(actor))));
}

function counted(known: number, unknown: number) {
  return {
    ...{ action: 'RefusedCalls', outcome: 'refused', error: 'RESOURCE_EXHAUSTED', actor: null, owner: null },
    after: { calls_of_known_callers: known, calls_of_unknown_callers: unknown },
  };
}

describe('refused calls', () => {
  it('are in the journal when they are answered, those that come at once in one write', async () => {
    const { writes, refusals } = journalling();
    await refusals.record(refused('one'));
    expect(writes).toEqual([[refused('one')]]);
    await recordAll(refusals, 'many', 50);
    expect(writes.slice(1)).toEqual([Array(50).fill(refused('many'))]);
  });

  it('that come while one write is under way share the next, and there is never another', async () => {
    const { writes, refusals } = stuck();
    const first = refusals.record(refused('first'));
    await expect.poll(() => writes).toHaveLength(1);
    const rest = ['second', 'third'].map((actor) => refusals.record(refused(actor)));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(writes).toHaveLength(1);
    writes[0]?.end();
    await first;
    await expect.poll(() => writes).toHaveLength(2);
    expect(writes[1]?.drafts).toEqual([refused('second'), refused('third')]);
    writes[1]?.end();
    await Promise.all(rest);
  });

  it('that cannot be written hold up nothing: it is told, and the next are written', async () => {
    const { writes, errors, refusals } = stuck();
    const lost = refusals.record(refused('lost'));
    await expect.poll(() => writes).toHaveLength(1);
    writes[0]?.end(new Error('the disk is full'));
    await lost;
    expect(errors).toEqual([new Error('the disk is full')]);
    const next = refusals.record(refused('next'));
    await expect.poll(() => writes).toHaveLength(2);
    writes[1]?.end();
    await next;
    expect(writes[1]?.drafts).toEqual([refused('next')]);
  });
});

describe('a flood of refused calls', () => {
  it('is journalled up to a bound, and then counted: the number is written when the window ends', async () => {
    const { writes, refusals } = journalling({ unknownMax: 10, windowMs: 60_000 });
    await recordAll(refusals, null, 10_000);
    expect(writes.flat()).toHaveLength(10);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(writes.flat()).toHaveLength(10);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(writes.flat().slice(10)).toMatchObject([counted(0, 9_990)]);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(writes.flat()).toHaveLength(11);
  });

  it('of callers whom nobody knows takes nothing from those who are known', async () => {
    const { writes, refusals } = journalling({ knownMax: 10, unknownMax: 10 });
    await recordAll(refusals, null, 1_000);
    await recordAll(refusals, 'key_a', 15);
    expect(writes.flat().filter(({ actor }) => actor === 'key_a')).toHaveLength(10);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(writes.flat().at(-1)).toMatchObject(counted(5, 990));
  });

  it('is journalled again in the next window', async () => {
    const { writes, refusals } = journalling({ unknownMax: 1 });
    for (let minute = 0; minute < 3; minute++) {
      await recordAll(refusals, null, 3);
      await vi.advanceTimersByTimeAsync(60_000);
    }
    const actions = writes.flat().map(({ action }) => action);
    expect(actions).toEqual(Array(3).fill(['UpdateKey', 'RefusedCalls']).flat());
  });

  it('that goes on is journalled ever less, and in full again once it is over', async () => {
    const { writes, refusals } = journalling({ unknownMax: 60 });
    const written = [];
    for (const calls of [100, 100, 100, 100, 100, 5, 100]) {
      const before = writes.flat().length;
      await recordAll(refusals, null, calls);
      written.push(writes.flat().length - before);
      await vi.advanceTimersByTimeAsync(60_000);
    }
    expect(written).toEqual([60, 30, 15, floodMax, floodMax, 5, 60]);
  });

  it('takes no more memory than a bound while the store does not answer', async () => {
    const { writes, refusals } = stuck({ waitingMax: 5 });
    const first = refusals.record(refused('first'));
    await expect.poll(() => writes).toHaveLength(1);
    const all = recordAll(refusals, 'many', 1_000);
    writes[0]?.end();
    await expect.poll(() => writes).toHaveLength(2);
    expect(writes[1]?.drafts).toHaveLength(5);
    writes[1]?.end();
    await Promise.all([first, all]);
    const stopped = refusals.stop();
    await expect.poll(() => writes).toHaveLength(3);
    expect(writes[2]?.drafts).toMatchObject([counted(995, 0)]);
    writes[2]?.end();
    await stopped;
  });

  it('leaves its number in the journal also when the service stops', async () => {
    const { writes, refusals } = journalling({ unknownMax: 1 });
    await recordAll(refusals, null, 3);
    await refusals.stop();
    expect(writes.flat().at(-1)).toMatchObject(counted(0, 2));
    const { writes: none, refusals: idle } = journalling();
    await idle.stop();
    expect(none).toEqual([]);
  });
});
