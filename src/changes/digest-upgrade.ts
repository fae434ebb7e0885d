import type { KeyId } from '../keys/key.ts';
import type { Digest } from '../keys/secret.ts';
import type { DigestChange } from '../store/records/key-filter.ts';
import type { Store } from '../store/store.ts';
import { yieldToOthers } from '../time/yield-to-others.ts';

/**
 * Moves keys to the pepper that signs, at their next use: a key that is found by another digest than the one it
 * would get now (an older pepper's, or none's, as of a key that was imported as a digest) is given that one, in the
 * background and many at a time. It is found by either all the while.
 */
export interface DigestUpgrade {
  /**
   * The same find, of digests of which the first is the signing one, which notes what is to be moved. A dry run of a
   * Check goes through it as a Check does: it moves a key too, which changes nothing that anybody can see.
   */
  watch(find: Store['findKey']): Store['findKey'];
  /** Writes what was noted at intervals; {@link DigestUpgrade.stop} ends it. */
  start(): void;
  /** Writes what was noted up to now; what could not be written is kept for the next time. */
  flush(): Promise<void>;
  /** Writes what is left. */
  stop(): Promise<void>;
}

export interface DigestUpgradeOptions {
  readonly flushMs: number;
  /** Keys that are noted at once; past it one is moved when it is next read from the store. */
  readonly changesMax: number;
}

/** Changes in one write: SQLite holds up the thread meanwhile. */
export const upgradeBatchSize = 200;

export function createDigestUpgrade(
  dependencies: { readonly store: Pick<Store, 'replaceDigests'>; readonly onError: (error: unknown) => void },
  { flushMs, changesMax }: DigestUpgradeOptions,
): DigestUpgrade {
  const { store, onError } = dependencies;
  let noted = new Map<KeyId, DigestChange>();
  let timer: NodeJS.Timeout | null = null;
  let flushing: Promise<void> | null = null;

  return {
    watch:
      (find) =>
      async (digests, ...asker) => {
        const record = await find(digests, ...asker);
        if (record !== null) note(record.id, record.digest, digests[0]);
        return record;
      },
    start() {
      // A store that is slow is not asked again before it has answered.
      timer ??= setInterval(() => flushing ?? flush(), flushMs).unref();
    },
    flush,
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await flush();
    },
  };

  function note(id: KeyId, from: Digest, to: Digest | undefined): void {
    if (to === undefined || to === from) return;
    if (noted.size < changesMax || noted.has(id)) noted.set(id, { id, from, to });
  }

  async function flush(): Promise<void> {
    while (flushing !== null) await flushing;
    if (noted.size === 0) return;
    flushing = writeAll().finally(() => {
      flushing = null;
    });
    await flushing;
  }

  async function writeAll(): Promise<void> {
    const unwritten = [...noted.values()];
    noted = new Map();
    try {
      while (unwritten.length > 0) {
        await store.replaceDigests(unwritten.slice(0, upgradeBatchSize));
        unwritten.splice(0, upgradeBatchSize);
        // Lets Checks go first.
        await yieldToOthers();
      }
    } catch (error) {
      onError(error);
      for (const change of unwritten) if (!noted.has(change.id)) note(change.id, change.from, change.to);
    }
  }
}
