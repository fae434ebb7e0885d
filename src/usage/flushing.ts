import { untilAborted } from '../time/until-aborted.ts';

/** Writes what was gathered, one write at a time. */
export interface Flushing {
  /** Writes at intervals; a write that is slow is not begun again before it has ended. */
  start(): void;
  /** Writes what was gathered up to now. */
  flush(): Promise<void>;
  /** Ends the intervals and flushes, until the signal is aborted. */
  stop(signal: AbortSignal): Promise<void>;
}

/** `write` must not reject; it is told whether the interval has come to its end, or somebody waits. */
export function createFlushing(write: (isByInterval: boolean) => Promise<void>, everyMs: number): Flushing {
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> | null = null;

  async function flush(isByInterval: boolean): Promise<void> {
    while (writing !== null) await writing;
    writing = write(isByInterval).finally(() => {
      writing = null;
    });
    await writing;
  }

  return {
    start() {
      timer ??= setInterval(() => writing ?? flush(true), everyMs).unref();
    },
    flush: () => flush(false),
    async stop(signal) {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await untilAborted(signal, flush(false));
    },
  };
}
