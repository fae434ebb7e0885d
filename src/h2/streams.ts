import type { Allowance } from './allowance.ts';
import { ConnectionError, errorCode, rstStream } from './frame.ts';
import type { Outbox } from './outbox.ts';
import type { Stream } from './stream.ts';

/** Streams that were reset here and may still be sent to; of more than this the oldest is an error again. */
const resetsRememberedMax = 256;

export interface StreamsDependencies {
  readonly outbox: Outbox;
  readonly now: () => number;
  /** How often the peer may make a stream that it resets or breaks. */
  readonly resets: Allowance;
  /** Drops what waits to be sent on a stream. */
  readonly forget: (stream: Stream) => void;
  /** Told when a stream has closed. */
  readonly onClosed: () => void;
}

/** The streams of one connection that are not closed, and how they close. */
export class Streams {
  readonly #dependencies: StreamsDependencies;
  /** The one that was opened last, which most often closes before the next: a map of all costs more than that. */
  #latest: Stream | null = null;
  readonly #others = new Map<number, Stream>();
  readonly #reset = new Set<number>();
  /** Whether one was ever answered to its end. */
  hasEnded = false;

  constructor(dependencies: StreamsDependencies) {
    this.#dependencies = dependencies;
  }

  get size(): number {
    return this.#others.size + (this.#latest === null ? 0 : 1);
  }

  get(id: number): Stream | undefined {
    return this.#latest?.id === id ? this.#latest : this.#others.get(id);
  }

  add(stream: Stream): void {
    if (this.#latest !== null) this.#others.set(this.#latest.id, this.#latest);
    this.#latest = stream;
  }

  /** All of them, as they are now. */
  all(): readonly Stream[] {
    return this.#latest === null ? [...this.#others.values()] : [...this.#others.values(), this.#latest];
  }

  /** The answer is written to its end. */
  ended(stream: Stream): void {
    stream.isDecided = true;
    this.hasEnded = true;
    // What the peer still sends is for nobody (RFC 9113, section 8.1).
    if (!stream.isRemoteClosed) this.#put(stream.id, errorCode.noError);
    this.#remove(stream);
    this.#dependencies.onClosed();
  }

  /** Resets a stream for what its peer did. Throws a ConnectionError where that happens too often. */
  reset(stream: Stream, code: number): void {
    this.#close(stream);
    this.refuse(stream.id, code);
  }

  /** Resets a stream that is not open here, or not any more. */
  refuse(id: number, code: number): void {
    this.#put(id, code);
    this.#count();
  }

  /** Resets a stream whose time is over. */
  abandon(stream: Stream): void {
    this.#close(stream);
    this.#put(stream.id, errorCode.cancel);
  }

  /** The peer reset the stream. */
  cancelled(stream: Stream): void {
    this.#close(stream);
    this.#count();
  }

  /** The peer is gone. */
  cancelAll(): void {
    for (const stream of this.all()) this.#close(stream);
  }

  /** Whether a frame on a closed stream may have been sent before the peer knew. */
  wasReset(id: number): boolean {
    return this.#reset.has(id);
  }

  #close(stream: Stream): void {
    stream.isDecided = true;
    this.#dependencies.forget(stream);
    this.#remove(stream);
    stream.input?.cancel();
    this.#dependencies.onClosed();
  }

  #remove(stream: Stream): void {
    if (this.#latest === stream) this.#latest = null;
    else this.#others.delete(stream.id);
  }

  #put(id: number, code: number): void {
    this.#dependencies.outbox.put(rstStream(id, code));
    this.#reset.add(id);
    if (this.#reset.size <= resetsRememberedMax) return;
    for (const oldest of this.#reset) {
      this.#reset.delete(oldest);
      return;
    }
  }

  #count(): void {
    const { resets, now } = this.#dependencies;
    if (!resets.take(now()))
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many streams are reset');
  }
}
