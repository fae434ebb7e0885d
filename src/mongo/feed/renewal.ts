import { setTimeout } from 'node:timers/promises';
import type { Timestamp } from 'mongodb';
import type { Lease } from '../../store/feed/lease.ts';
import type { Fleet } from './fleet.ts';

export interface Renewal {
  /** Registers this replica; once the stream has told of everything up to the time that it returns, memory may answer. */
  register(): Promise<Timestamp>;
  /** Renews the lease from now on. */
  start(): void;
  /** The stream has told of everything up to this cluster time. */
  advance(position: Timestamp): void;
  /** Nothing that was asked for so far counts any more, and memory may not answer. */
  breakOff(): void;
  /** Ends when nothing is under way. */
  stop(): Promise<void>;
}

export interface RenewalDependencies {
  readonly fleet: Pick<Fleet, 'register' | 'renew'>;
  readonly lease: Lease;
  readonly everyMs: number;
  readonly onError: (error: unknown) => void;
}

/** Times that the stream has not reached yet; of more than this only the latest can still count. */
const unprovenMax = 100;

/**
 * The lease by what the stream has told. A replica asks what time it is, of a majority, and notes when it began to ask:
 * once its stream has told of everything up to that time, it knows all that was committed before it asked.
 */
export function createRenewal({ fleet, lease, everyMs, onError }: RenewalDependencies): Renewal {
  const stopping = new AbortController();
  let unproven: { readonly beat: number; readonly time: Timestamp }[] = [];
  let reached: Timestamp | null = null;
  let renewing: Promise<void> | null = null;

  async function ask(time: (beat: number) => Promise<Timestamp>): Promise<Timestamp> {
    const beat = lease.begin();
    const asked = await time(beat);
    unproven = [...unproven.slice(1 - unprovenMax), { beat, time: asked }];
    prove();
    return asked;
  }

  function prove(): void {
    const proven = unproven.filter(({ time }) => reached?.greaterThanOrEqual(time));
    unproven = unproven.filter((one) => !proven.includes(one));
    for (const { beat } of proven) lease.seen(beat);
  }

  async function keepRenewing(): Promise<void> {
    // Those that started at the same moment do not ask at the same moment.
    await pause(everyMs * Math.random());
    while (!stopping.signal.aborted) {
      await ask((beat) => fleet.renew(beat)).catch(onError);
      await pause(everyMs);
    }
  }

  /** Ends early, and without an error, when it is stopped. */
  const pause = (ms: number) =>
    setTimeout(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => {});

  return {
    register: () => ask((beat) => fleet.register(beat)),
    start() {
      renewing ??= keepRenewing();
    },
    advance(position) {
      reached = position;
      if (unproven.length > 0) prove();
    },
    breakOff() {
      lease.end();
      unproven = [];
      reached = null;
    },
    async stop() {
      stopping.abort();
      lease.end();
      await renewing;
    },
  };
}
