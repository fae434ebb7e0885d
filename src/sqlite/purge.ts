import { setImmediate } from 'node:timers/promises';
import type { KeyId } from '../keys/key.ts';
import { usageRetentionMs } from '../store/store.ts';
import { defaultRequestRetentionMs } from '../store/usage/request-log.ts';
import { startOf } from '../store/usage/usage-sums.ts';
import type { Tables } from './tables.ts';

export interface PurgeDependencies {
  /** Null while the store is not open, or its file is lost. */
  readonly tables: () => Tables | null;
  readonly now: () => number;
  readonly onKeyRemoved: (id: KeyId) => void;
  readonly onBackgroundError?: (error: unknown) => void;
  /** Default 400 days. */
  readonly journalRetentionMs?: number;
  readonly requestRetentionMs?: number;
}

/** Records that one purge removes before it lets others have the thread. */
const batchSize = 500;
const fewKeys = 5_000;
const defaultJournalRetentionMs = 400 * 86_400_000;

/** Removes what is past its retention. Never rejects; what is left is removed the next time. */
export function createPurge(dependencies: PurgeDependencies): () => Promise<void> {
  const { tables, now, onKeyRemoved, onBackgroundError } = dependencies;
  const { journalRetentionMs = defaultJournalRetentionMs } = dependencies;
  const { requestRetentionMs = defaultRequestRetentionMs } = dependencies;
  return () => purge().catch((error: unknown) => onBackgroundError?.(error));

  async function purge(): Promise<void> {
    tables()?.limits.purge(now());
    await fold();
    // Before hours go: what is in no day and no month yet would be lost.
    await inBatches(({ usageSums, pending }) =>
      usageSums.close(Math.min(startOf('hour', now()), pending.firstHour() ?? Infinity), batchSize),
    );
    await inBatches(({ usage }) => usage.purge(now() - usageRetentionMs, batchSize));
    await inBatches(({ usageSums }) => usageSums.purge(now(), batchSize));
    await inBatches(({ keys }) => {
      const ids = keys.purge(now(), batchSize);
      for (const id of ids) onKeyRemoved(id);
      return ids.length;
    });
    await inBatches(({ journal }) => journal.purge(now() - journalRetentionMs, batchSize));
    await inBatches(({ portalSessions }) => portalSessions.purge(now(), batchSize));
    await inBatches(({ requests }) => requests.purge(now() - requestRetentionMs, batchSize));
  }

  /** Rows of few keys are there before hours go by their age; those of many come to be beside all else. */
  async function fold(): Promise<void> {
    const open = tables();
    if (open === null) return;
    const folded = open.usage
      .fold(() => tables() !== open)
      .catch((error: unknown) => {
        // What waits is in the log, and is tried again the next time.
        if (tables() === open) onBackgroundError?.(error);
      });
    if (open.pending.size <= fewKeys) await folded;
  }

  async function inBatches(purge: (tables: Tables) => number): Promise<void> {
    for (;;) {
      const open = tables();
      if (open === null || purge(open) < batchSize) return;
      await setImmediate();
    }
  }
}
