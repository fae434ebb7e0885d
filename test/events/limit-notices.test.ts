import { describe, expect, it } from 'vitest';
import { createLimitNotices } from '../../src/events/limit-notices.ts';
import type { JournalDraft } from '../../src/journal/journal.ts';
import type { KeyId } from '../../src/keys/key.ts';
import type { Limit } from '../../src/keys/limit.ts';
import type { LimitNews } from '../../src/limits/news.ts';
import { neverMs } from '../../src/limits/period.ts';

const noon = Date.UTC(2030, 0, 10, 12);
const monthly: Limit = { name: 'monthly', limit: 1_000, per: 'month', sharedBy: 'owner' };

function news(given: Partial<LimitNews> = {}): LimitNews {
  const [start, end] = [Date.UTC(2030, 0, 1), Date.UTC(2030, 1, 1)];
  const of = {
    spender: 'key_a' as KeyId,
    owner: 'acme',
    limit: monthly,
    counter: 'owner month monthly acme',
  };
  return { kind: 'nearly_spent', ...of, start, end, ...given };
}

/** Replicas that write to one journal, which takes each name once. */
function setUp() {
  const written: JournalDraft[] = [];
  const clock = { now: noon };
  const store = {
    isAway: false,
    async appendJournal(drafts: readonly JournalDraft[]) {
      if (store.isAway) throw new Error('away');
      for (const draft of drafts) {
        if (draft.once == null || !written.some(({ once }) => once === draft.once)) written.push(draft);
      }
    },
  };
  const replica = () => createLimitNotices({ store, now: () => clock.now });
  return { written, clock, store, replica };
}

describe('that a limit is nearly spent or exceeded', () => {
  it('is written once in a period, whichever replicas come upon it, with the limit and when it resets', async () => {
    const { written, replica } = setUp();
    for (const one of [replica(), replica()]) {
      one.note(news());
      one.note(news({ spender: 'key_b' as KeyId }));
      one.note(news({ kind: 'exceeded' }));
      await one.flush();
    }
    const told = { limit: 'monthly', units: 1_000, period: 'month', shared_by: 'owner' };
    const after = { ...told, resets_at: '2030-02-01T00:00:00Z' };
    expect(written).toEqual([
      expect.objectContaining({
        kind: 'notice',
        action: 'LimitNearlySpent',
        target: 'acme',
        owner: 'acme',
        after,
      }),
      expect.objectContaining({
        kind: 'notice',
        action: 'LimitExceeded',
        target: 'acme',
        owner: 'acme',
        after,
      }),
    ]);
  });

  it('is written again in the next period, and of each counter by itself', async () => {
    const { written, replica } = setUp();
    const one = replica();
    one.note(news());
    one.note(news({ start: Date.UTC(2030, 1, 1), end: Date.UTC(2030, 2, 1) }));
    one.note(news({ counter: 'owner month monthly globex', owner: 'globex' }));
    await one.flush();
    expect(written.map(({ target }) => target)).toEqual(['acme', 'acme', 'globex']);
  });

  it('is about the key where the key spends alone, and says of a total that it never resets', async () => {
    const { written, replica } = setUp();
    const one = replica();
    const limit: Limit = { ...monthly, per: 'total', sharedBy: 'key' };
    one.note(news({ limit, counter: 'key total monthly key_a', start: 0, end: neverMs }));
    one.note(news({ owner: null, counter: 'key month monthly key_a' }));
    await one.flush();
    expect(written).toMatchObject([
      { target: 'key_a', owner: 'acme', after: { period: 'total', resets_at: null } },
      { target: 'key_a', owner: null },
    ]);
  });

  it('is written one by one of a hundred in a minute, and of more one notice tells at its end', async () => {
    const { written, clock, replica } = setUp();
    const one = replica();
    for (let at = 0; at < 130; at++) one.note(news({ counter: `c${at}`, spender: `key_${at}` as KeyId }));
    await one.flush();
    expect(written).toHaveLength(100);
    clock.now += 60_000;
    await one.flush();
    expect(written.at(-1)).toMatchObject({ action: 'LimitNearlySpent', target: null, after: { keys: 30 } });
  });

  it('waits until it can be written', async () => {
    const { written, store, replica } = setUp();
    const one = replica();
    store.isAway = true;
    one.note(news());
    await expect(one.flush()).rejects.toThrow('away');
    store.isAway = false;
    await one.flush();
    expect(written).toHaveLength(1);
  });
});
