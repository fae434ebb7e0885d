import { setImmediate } from 'node:timers/promises';
import { type JournalEntry, sequenceOf } from '../journal/journal.ts';
import type { Store } from '../store/store.ts';
import { type EventType, eventOf, type KeyEvent } from './events.ts';
import type { JournalTail } from './journal-tail.ts';
import type { NotTaken, Send } from './webhook.ts';

/** Tells someone of every event: one replica at a time, in order, each at least once. */
export interface EventDelivery {
  start(): void;
  /** Breaks off what is under way and leaves the rest to the others, or to the next start. */
  stop(): Promise<void>;
}

/** An event that was not taken, and will be tried again. */
export interface FailedDelivery extends NotTaken {
  readonly event: KeyEvent;
  /** From 1. */
  readonly attempt: number;
  readonly retryMs: number;
  /** Entries of the journal after the event's; null where the store could not be asked. */
  readonly entriesBehind: number | null;
}

export interface EventDeliveryDependencies {
  readonly store: Pick<Store, 'claimDuty' | 'recordDuty'>;
  readonly tail: JournalTail;
  /** Names this process among all. */
  readonly holder: string;
  readonly send: Send;
  /** 0 to 1. */
  readonly random: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonic: () => number;
  readonly onFailed: (failed: FailedDelivery) => void;
  /** An event was taken after it had not been. */
  readonly onRecovered: (event: KeyEvent) => void;
  /** The store could not be asked; it will be again. */
  readonly onError: (error: unknown) => void;
}

export interface EventDeliveryOptions {
  /** What the duty is called in the store. */
  readonly duty: string;
  /** Events of other types are passed over; null for all. */
  readonly types: ReadonlySet<EventType> | null;
  /** How long the duty is held without a sign of life: longer than one try of `send`. Default 30 000. */
  readonly leaseMs?: number;
  /** The wait after the first failure, which doubles with each. Default 1 000. */
  readonly retryMsFirst?: number;
  /** Default 300 000. */
  readonly retryMsMax?: number;
  /** How often at the most the place is recorded from which one that dies is taken over. Default 1 000. */
  readonly recordMs?: number;
}

/** Many events of one moment are read together: one that comes alone is told at once. */
const restMs = 100;
/** Events that are sent before others have the thread: about a millisecond where a line of the log is all of it. */
const eventsAtOnce = 25;

/** What was begun with the first event after the delivery was first switched on goes on from there ever after. */
export function createEventDelivery(
  dependencies: EventDeliveryDependencies,
  options: EventDeliveryOptions,
): EventDelivery {
  const { store, tail, holder, send, random, monotonic, onFailed, onRecovered, onError } = dependencies;
  const { duty, types, leaseMs = 30_000, retryMsFirst = 1_000, retryMsMax = 300_000 } = options;
  const { recordMs = 1_000 } = options;
  const renewMs = leaseMs / 3;
  const ended = new AbortController();
  const { signal } = ended;
  let claimedAt = Number.NEGATIVE_INFINITY;
  let recordedAt = Number.NEGATIVE_INFINITY;
  /** The sequences up to which the store knows that events were taken, and up to which they were. */
  let recorded = 0;
  let taken = 0;
  let running: Promise<void> | null = null;

  return {
    start() {
      running ??= run();
    },
    async stop() {
      ended.abort();
      await running;
    },
  };

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        const claimed = await store.claimDuty(duty, holder, leaseMs);
        claimedAt = monotonic();
        if (claimed !== null) await deliverAfter(claimed.progress);
      } catch (error) {
        if (!signal.aborted) onError(error);
      }
      await pause(renewMs * (1 + random()));
    }
    // So that nobody has to wait until the lease is over.
    await store.claimDuty(duty, holder, 1).catch(onError);
  }

  /** Returns when it is another's duty. Its progress is the sequence that comes next: 0 is left for never. */
  async function deliverAfter(progress: number): Promise<void> {
    recorded = progress - 1;
    let last = progress === 0 ? await begin() : Math.max(recorded, taken);
    while (last !== null && !signal.aborted && (await keep())) {
      const before: number = last;
      last = await deliverAll(await tail.read(before), before);
      if (last === null) return;
      const waitMs = last === recorded ? renewMs : recordMs;
      const isOver = last !== before || (await tail.wait(last, waitMs, signal, restMs));
      if (!isOver && last !== recorded && !(await record(last))) return;
    }
    if (last !== null && last !== recorded) await record(last);
  }

  /** The sequence of the last entry of the page, or of `before` for none; null where the rest is to be left to another. */
  async function deliverAll(page: readonly JournalEntry[], before: number): Promise<number | null> {
    let last = before;
    let isWhole = true;
    let sent = 0;
    for (const entry of page) {
      const event = eventOf(entry);
      if (event !== null && (types === null || types.has(event.type))) {
        isWhole = await deliver(event);
        if (!isWhole) break;
        if (++sent % eventsAtOnce === 0) await setImmediate();
      }
      last = entry.sequence;
      taken = Math.max(taken, last);
      // Each record is a write of the store: one for many events.
      if (monotonic() - recordedAt >= recordMs && !(await record(last))) return null;
    }
    if (isWhole) return last;
    if (last !== recorded) await record(last);
    return null;
  }

  /** From now on: whoever switches it on wants no history. */
  async function begin(): Promise<number | null> {
    const head = await tail.head();
    return (await record(head)) ? head : null;
  }

  /** Tries until it is taken; false where it is to be left to another. */
  async function deliver(event: KeyEvent): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      if (signal.aborted || !(await keep())) return false;
      const failed = await send(event, signal);
      if (failed === null) {
        if (attempt > 1) onRecovered(event);
        return true;
      }
      if (signal.aborted) return false;
      const backoffMs = Math.min(retryMsMax, retryMsFirst * 2 ** (attempt - 1)) * (0.5 + random() / 2);
      const retryMs = Math.max(backoffMs, Math.min(failed.retryAfterMs, retryMsMax));
      onFailed({ ...failed, event, attempt, retryMs, entriesBehind: await entriesAfter(event) });
      if (!(await waitInDuty(retryMs))) return false;
    }
  }

  async function waitInDuty(ms: number): Promise<boolean> {
    const until = monotonic() + ms;
    for (let leftMs = ms; leftMs > 0; leftMs = until - monotonic()) {
      await pause(Math.min(leftMs, renewMs));
      if (signal.aborted || !(await keep())) return false;
    }
    return true;
  }

  /** Renews the duty when it is time; false where another has it. */
  async function keep(): Promise<boolean> {
    if (monotonic() - claimedAt < renewMs) return true;
    const claimed = await store.claimDuty(duty, holder, leaseMs);
    claimedAt = monotonic();
    return claimed !== null;
  }

  async function record(sequence: number): Promise<boolean> {
    recordedAt = monotonic();
    const isHeld = await store.recordDuty(duty, holder, sequence + 1);
    if (isHeld) recorded = sequence;
    return isHeld;
  }

  async function entriesAfter({ id }: KeyEvent): Promise<number | null> {
    try {
      return (await tail.head()) - (sequenceOf(id) ?? 0);
    } catch {
      return null;
    }
  }

  function pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    const giveUp = () => resolve();
    signal.addEventListener('abort', giveUp);
    if (signal.aborted) resolve();
    return promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
    });
  }
}
