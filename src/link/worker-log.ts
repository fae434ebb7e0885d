import type { ServiceAnswers } from './messages.ts';
import type { Peer } from './peer.ts';

/** Characters that wait while the service writes what it was sent before; what comes past them is left out. */
const waitingMax = 4 * 1_024 * 1_024;
/** And characters that are sent at once. */
const sentMax = 256 * 1_024;
/**
 * How long a line waits for others, in milliseconds. Sent one by one as they come, lines of 8 000 denials a second wake
 * both threads for nearly each of them, and a denial on one core costs two fifths more.
 */
const gatherMs = 10;

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
  let timer: NodeJS.Timeout | null = null;
  let sending: Promise<void> | null = null;

  return {
    write(line) {
      if (length + line.length > waitingMax) {
        leftOut++;
        return;
      }
      waiting.push(line);
      length += line.length;
      sendSoon();
    },
    async flush() {
      while (sending !== null || waiting.length > 0) await (sending ?? send());
    },
  };

  function sendSoon(): void {
    if (sending !== null || waiting.length === 0) return;
    if (length >= sentMax) void send();
    else timer ??= setTimeout(send, gatherMs);
  }

  function send(): Promise<void> {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    sending = sendBatch().finally(() => {
      sending = null;
      sendSoon();
    });
    return sending;
  }

  async function sendBatch(): Promise<void> {
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
}
