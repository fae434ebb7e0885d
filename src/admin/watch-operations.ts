import { type EventType, eventOf, type KeyEvent } from '../events/events.ts';
import type { JournalTail } from '../events/journal-tail.ts';
import { Failure, invalidArgument } from '../failure.ts';
import { eventId, sequenceOf } from '../journal/journal.ts';
import type { Store } from '../store/store.ts';
import { watchKeysInput } from './admin-input.ts';
import type { Call } from './call.ts';
import { readInput } from './read-input.ts';

/** One answer of a watch. */
export interface Watched {
  /** Goes into a later watch, which begins after this answer. */
  readonly resumeToken: string;
  /** Null for an answer that only moves the token on. */
  readonly event: KeyEvent | null;
}

export interface WatchOperations {
  /**
   * Events from the resume token on, or from now on, until the signal aborts; an admin key that has an owner sees
   * those about its keys. The first answer, and one after each silence of {@link WatchOptions.heartbeatMs}, has no
   * event. Fails once the caller may watch no more, and with UNAVAILABLE when the service stops.
   */
  watchKeys(call: Call, input: unknown, signal: AbortSignal): Promise<AsyncIterable<Watched>>;
}

export interface WatchOptions {
  /** Default 15 000: shorter than the idle timeouts of proxies. */
  readonly heartbeatMs?: number;
  /** Watches of this process at once; one more is RESOURCE_EXHAUSTED. Default 200. */
  readonly watchesMax?: number;
}

export function createWatchOperations(
  dependencies: {
    readonly tail: JournalTail;
    readonly store: Pick<Store, 'listJournal'>;
    /** Milliseconds of a clock that never goes back. */
    readonly monotonic: () => number;
  },
  { heartbeatMs = 15_000, watchesMax = 200 }: WatchOptions = {},
): WatchOperations {
  const { tail, store, monotonic } = dependencies;
  let watches = 0;

  return {
    async watchKeys(call, input, signal) {
      const { resume_token: token, types } = readInput(watchKeysInput, input);
      const after = token ? await resumeAfter(token) : await tail.head();
      const wanted = types && types.length > 0 ? new Set<EventType>(types) : null;
      const release = occupy(signal);
      return follow(call, { after, wanted }, signal, release);
    },
  };

  /** A place among the watches, until the signal aborts at the latest. */
  function occupy(signal: AbortSignal): () => void {
    if (watches >= watchesMax) {
      const message =
        'This replica has as many watches as it takes; end one of them, or ask another replica.';
      throw new Failure('RESOURCE_EXHAUSTED', 'TOO_MANY_WATCHES', message);
    }
    let isHeld = !signal.aborted;
    if (isHeld) watches += 1;
    const release = () => {
      if (isHeld) watches -= 1;
      isHeld = false;
      signal.removeEventListener('abort', release);
    };
    signal.addEventListener('abort', release);
    return release;
  }

  async function* follow(
    { identity, renew }: Call,
    { after, wanted }: { readonly after: number; readonly wanted: ReadonlySet<EventType> | null },
    signal: AbortSignal,
    release: () => void,
  ): AsyncGenerator<Watched> {
    let [last, toldAt] = [after, monotonic()];
    const isFor = ({ type, owner }: KeyEvent) =>
      (wanted === null || wanted.has(type)) && (identity.owner === null || owner === identity.owner);
    try {
      yield { resumeToken: eventId(last), event: null };
      while (!signal.aborted) {
        for (const entry of await tail.read(last)) {
          last = entry.sequence;
          const event = eventOf(entry);
          if (event === null || !isFor(event)) continue;
          // Whoever was allowed once may be revoked by now.
          await renew();
          if (signal.aborted) return;
          yield { resumeToken: event.id, event };
          toldAt = monotonic();
        }
        const silentMs = monotonic() - toldAt;
        const isThere = silentMs < heartbeatMs && (await tail.wait(last, heartbeatMs - silentMs, signal));
        if (isThere || signal.aborted) continue;
        await renew();
        yield { resumeToken: eventId(last), event: null };
        toldAt = monotonic();
      }
    } finally {
      release();
    }
  }

  /** Throws INVALID_ARGUMENT for what this journal never gave, FAILED_PRECONDITION for what it keeps no more. */
  async function resumeAfter(token: string): Promise<number> {
    const after = sequenceOf(token);
    const [next] = after === null ? [] : await store.listJournal({}, { order: 'oldest', after, size: 1 });
    if (after === null || (next === undefined && after > (await tail.head()))) {
      throw invalidArgument([{ field: 'resume_token', description: 'is not one that this service gave' }]);
    }
    if (next === undefined || next.sequence === after + 1) return after;
    const message = 'What follows this resume token is not kept any more; watch without one.';
    throw new Failure('FAILED_PRECONDITION', 'RESUME_TOKEN_TOO_OLD', message);
  }
}

/**
 * Hands each answer to `send` when it has taken the one before, until there are no more or the signal aborts.
 * RESOURCE_EXHAUSTED for a receiver that takes longer than `sendMsMax` (30 000 unless given) for one of them: it can
 * go on with its last resume token.
 */
export async function sendAll(
  answers: AsyncIterable<Watched>,
  send: (answer: Watched) => Promise<void>,
  signal: AbortSignal,
  sendMsMax = 30_000,
): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve());
  for await (const answer of answers) {
    if (signal.aborted) return;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(tooSlow()), sendMsMax);
    await Promise.race([send(answer), aborted, late]).finally(() => clearTimeout(timer));
  }
}

function tooSlow(): Failure {
  const message = 'The events are not taken as fast as they come; go on with the last resume token.';
  return new Failure('RESOURCE_EXHAUSTED', 'WATCH_TOO_SLOW', message);
}
