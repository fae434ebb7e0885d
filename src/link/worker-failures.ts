import type { Reason } from '../schemes/answer.ts';
import type { FailuresFrom } from './messages.ts';

/** Denials that look like guesses, counted by address and handed on a few times a second. */
export interface WorkerFailures {
  count(reason: Reason, address: string): void;
  flush(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

const everyMs = 250;
/** Addresses that are counted until the next time; denials from others meanwhile are not. */
const addressesMax = 10_000;

/** @param send rejects where the service cannot be asked: what it was given is then lost */
export function createWorkerFailures(
  send: (failures: readonly FailuresFrom[]) => Promise<void>,
): WorkerFailures {
  /** By reason, then by address. */
  let counts = new Map<Reason, Map<string, number>>();
  let size = 0;
  let timer: NodeJS.Timeout | null = null;

  return {
    count(reason, address) {
      const ofReason = counts.get(reason) ?? new Map<string, number>();
      counts.set(reason, ofReason);
      const known = ofReason.get(address);
      if (known === undefined && ++size > addressesMax) return;
      ofReason.set(address, (known ?? 0) + 1);
    },
    flush,
    start() {
      timer ??= setInterval(flush, everyMs).unref();
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await flush();
    },
  };

  async function flush(): Promise<void> {
    if (size === 0) return;
    const counted = [...counts].flatMap(([reason, ofReason]) =>
      [...ofReason].map(([address, times]) => [reason, address, times] as const),
    );
    counts = new Map();
    size = 0;
    await send(counted).catch(() => {});
  }
}
