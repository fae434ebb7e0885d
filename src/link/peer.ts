import { StoreUnavailable } from '../store/store.ts';
import { type SentError, sentError, takenError } from './errors.ts';
import { createLine } from './line.ts';
import type { Port } from './port.ts';

/** What one end may be asked, by name. */
export type Procedures = Readonly<Record<string, (...args: never[]) => unknown>>;

/** The other end: it can be asked, which it answers, and be told. */
export interface Peer<Remote extends Procedures, Told> {
  /**
   * Rejects with what the other end threw; with `StoreUnavailable` where it cannot be asked, is gone, or has not
   * answered in time.
   */
  ask<Name extends keyof Remote & string>(
    name: Name,
    ...args: Parameters<Remote[Name]>
  ): Promise<Awaited<ReturnType<Remote[Name]>>>;
  /** In order with what else is told and answered. False, and not sent, where too much waits. */
  tell(told: Told): boolean;
  /** The other end is gone: whoever waits for an answer is told so, and whoever asks. */
  close(): void;
}

export interface PeerOptions<Local extends Procedures, Heard> {
  readonly answers: Local;
  readonly onTold: (told: Heard) => void;
  /** The longest that an answer is waited for, where it is not given by name. Default 5 s. */
  readonly answerMaxMs?: number;
  readonly answerMaxMsOf?: Readonly<Partial<Record<string, number>>>;
}

type Message =
  | readonly [kind: 'ask', id: number, name: string, args: readonly unknown[]]
  | readonly [kind: 'answer', id: number, value: unknown]
  | readonly [kind: 'fail', id: number, error: SentError]
  | readonly [kind: 'tell', told: unknown];

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly until: number;
}

/** Questions that wait for their answers. */
const waitingMax = 10_000;
const lookEveryMs = 250;
const defaultAnswerMaxMs = 5_000;

export function createPeer<Remote extends Procedures, Local extends Procedures, Told, Heard>(
  port: Port,
  options: PeerOptions<Local, Heard>,
): Peer<Remote, Told> {
  const { answers, onTold, answerMaxMs = defaultAnswerMaxMs, answerMaxMsOf = {} } = options;
  const waiting = new Map<number, Waiting>();
  let asked = 0;
  let isClosed = false;
  let timer: NodeJS.Timeout | null = null;
  const line = createLine<Message, Message>(port, take);

  return {
    ask: (name, ...args) =>
      new Promise((resolve, reject) => {
        const id = ++asked;
        if (isClosed) reject(gone());
        else if (waiting.size >= waitingMax || !line.send(['ask', id, name, args])) reject(tooMuch());
        else {
          const until = performance.now() + (answerMaxMsOf[name] ?? answerMaxMs);
          waiting.set(id, { resolve: resolve as Waiting['resolve'], reject, until });
          // Where this process stood still, answers may lie there: timers go before what comes from outside.
          timer ??= setInterval(() => setImmediate(giveUpLate), lookEveryMs).unref();
        }
      }),
    tell: (told) => !isClosed && line.send(['tell', told]),
    close() {
      isClosed = true;
      for (const { reject } of waiting.values()) reject(gone());
      waiting.clear();
      stopLooking();
    },
  };

  function take(message: Message): void {
    if (isClosed) return;
    if (message[0] === 'tell') onTold(message[1] as Heard);
    else if (message[0] === 'ask') void answer(message[1], message[2], message[3]);
    else {
      const asker = waiting.get(message[1]);
      if (asker === undefined) return;
      waiting.delete(message[1]);
      if (message[0] === 'answer') asker.resolve(message[2]);
      else asker.reject(takenError(message[2]));
    }
  }

  async function answer(id: number, name: string, args: readonly unknown[]): Promise<void> {
    try {
      const procedure = answers[name] as ((...args: readonly unknown[]) => unknown) | undefined;
      if (procedure === undefined) throw new Error(`nobody answers to ${name}`);
      const value = await procedure(...args);
      line.send(['answer', id, value]);
    } catch (error) {
      line.send(['fail', id, sentError(error)]);
    }
  }

  /** One timer for all, since nearly every answer comes in time. */
  function giveUpLate(): void {
    const now = performance.now();
    for (const [id, { until, reject }] of waiting) {
      if (now < until) continue;
      waiting.delete(id);
      reject(new StoreUnavailable('the process that asks the store did not answer in time'));
    }
    if (waiting.size === 0) stopLooking();
  }

  function stopLooking(): void {
    if (timer !== null) clearInterval(timer);
    timer = null;
  }
}

function gone(): StoreUnavailable {
  return new StoreUnavailable('the process that is asked has ended');
}

function tooMuch(): StoreUnavailable {
  return new StoreUnavailable('too much waits for the process that is asked');
}
