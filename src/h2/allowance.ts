/** How often something may happen: `most` times at once, and then `perSecond`. */
export class Allowance {
  readonly #most: number;
  readonly #perMs: number;
  #left: number;
  #since: number;

  constructor(most: number, perSecond: number, now: number) {
    this.#most = most;
    this.#perMs = perSecond / 1_000;
    this.#left = most;
    this.#since = now;
  }

  /** Whether it may happen once more, or so many times, at `now` in milliseconds. */
  take(now: number, times = 1): boolean {
    this.#left = Math.min(this.#most, this.#left + (now - this.#since) * this.#perMs);
    this.#since = now;
    if (this.#left < times) return false;
    this.#left -= times;
    return true;
  }

  /** Allows it `more` times more, within `most`. */
  earn(more: number): void {
    this.#left = Math.min(this.#most, this.#left + more);
  }
}
