import type { ServiceAnswers } from './messages.ts';
import type { Peer } from './peer.ts';

/** Characters that wait while the service writes what it was sent before; what comes past them is left out. */
const waitingMax = 4 * 1_024 * 1_024;
/** And characters that are sent at once. */
const sentMax = 256 * 1_024;

export interface WorkerLog {
  write(line: string): void;
  /** Resolves when all that was written has been handed over, or cannot be. */
  flush(): Promise<void>;
}

/** The log of a Check worker, written by the service: one batch of lines is under way at a time. */
export function createWorkerLog(
  service: Pick<Peer<ServiceAnswers, never>, 'ask'>,
  onLeftOut: (lines: number) => void,
): WorkerLog {
  let waiting: string[] = [];
  let length = 0;
  let leftOut = 0;
  let sending: Promise<void> | null = null;

  return {
    write(line) {
      if (length + line.length > waitingMax) {
        leftOut++;
        return;
      }
      waiting.push(line);
      length += line.length;
      sending ??= send();
    },
    async flush() {
      while (sending !== null) await sending;
    },
  };

  async function send(): Promise<void> {
    // Whatever comes in this turn goes with it.
    await Promise.resolve();
    while (waiting.length > 0) {
      let batch = '';
      let lines = 0;
      while (lines < waiting.length && (lines === 0 || batch.length < sentMax)) batch += waiting[lines++];
      waiting = waiting.slice(lines);
      length -= batch.length;
      // Without a service there is nobody who would read it.
      await service.ask('writeLines', batch).catch(() => {});
      if (leftOut > 0 && length < waitingMax / 2) {
        const lost = leftOut;
        leftOut = 0;
        onLeftOut(lost);
      }
    }
    sending = null;
  }
}
