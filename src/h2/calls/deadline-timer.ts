import type { Clock } from '../clock.ts';

/** One timer for the deadlines of all calls of a connection; a call that is answered at once never sets it. */
export class DeadlineTimer {
  readonly #clock: Clock;
  readonly #expire: (now: number) => number;
  /** No call's deadline is earlier. */
  #next = Number.POSITIVE_INFINITY;
  #setFor = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | null = null;

  /** @param expire ends what is over at `now` and returns the next deadline, Infinity for none */
  constructor(clock: Clock, expire: (now: number) => number) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** A call began that has to end by then. */
  note(deadline: number): void {
    if (deadline < this.#next) this.#next = deadline;
  }

  /** Sets the timer for what was noted; to be called when calls stay open. */
  set(): void {
    if (this.#next >= this.#setFor) return;
    this.#cancel?.();
    this.#setFor = this.#next;
    const ms = Math.max(0, Math.min(Math.ceil(this.#next - this.#clock.now()), timerMsMax));
    this.#cancel = this.#clock.after(ms, () => this.#fire());
  }

  /** No call is open. */
  clear(): void {
    this.#next = Number.POSITIVE_INFINITY;
  }

  stop(): void {
    this.clear();
    this.#setFor = Number.POSITIVE_INFINITY;
    this.#cancel?.();
    this.#cancel = null;
  }

  #fire(): void {
    this.#cancel = null;
    this.#setFor = Number.POSITIVE_INFINITY;
    this.#next = this.#expire(this.#clock.now());
    this.set();
  }
}

/** Node's timers wait no longer than this. */
const timerMsMax = 0x7fff_ffff;
