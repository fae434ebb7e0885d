import { RpcError, type RpcStreamListener, rpcStatus } from '../net/rpc.ts';
import type { Held, MessageReader, MessageSink } from './calls/message-reader.ts';

/** A request that does not come in a single frame: its messages, told to a listener as fast as it wants them. */
export class Input implements MessageSink {
  readonly #listener: RpcStreamListener;
  readonly #reader: MessageReader;
  readonly #held: Held;
  #isPaused = false;
  #isHalfClosed = false;
  #isClosed = false;
  /** What arrived while it was paused: the first bytes of a buffer, bounded by the stream's window. */
  #parked: Buffer = Buffer.alloc(0);
  #parkedBytes = 0;

  constructor(listener: RpcStreamListener, reader: MessageReader, held: Held) {
    this.#listener = listener;
    this.#reader = reader;
    this.#held = held;
  }

  /** Whether the peer may send more. */
  get isOpen(): boolean {
    return !this.#isPaused && this.#parkedBytes === 0;
  }

  /** Throws an RpcError at what is no message, and what the listener throws. */
  read(bytes: Buffer, at: number, end: number): void {
    const read = this.isOpen ? this.#reader.read(bytes, at, end, this) : at;
    if (read < end && !this.#isClosed) this.#park(bytes, read, end);
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    if (this.#parkedBytes === 0) this.#tellHalfClose();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused || this.#isClosed) return;
    this.#isPaused = false;
    const bytes = this.#parked.subarray(0, this.#parkedBytes);
    this.#unpark();
    this.read(bytes, 0, bytes.length);
    if (this.#isHalfClosed && bytes.length > 0 && this.#parkedBytes === 0) this.#tellHalfClose();
  }

  /** Nothing is told any more, and nothing kept. */
  close(): void {
    this.#isClosed = true;
    this.#reader.release();
    this.#unpark();
  }

  cancel(): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.onCancelled();
  }

  onMessage(message: Buffer): boolean {
    this.#listener.onMessage(message);
    return !this.#isPaused && !this.#isClosed;
  }

  #tellHalfClose(): void {
    if (this.#isClosed) return;
    if (this.#reader.isCut) throw new RpcError(rpcStatus.internal, 'Received a message that is cut short');
    this.#listener.onHalfClose();
  }

  #park(bytes: Buffer, at: number, end: number): void {
    const needed = this.#parkedBytes + end - at;
    if (needed > this.#parked.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#parked.length));
      this.#held.bytes += grown.length - this.#parked.length;
      this.#parked.copy(grown, 0, 0, this.#parkedBytes);
      this.#parked = grown;
    }
    this.#parkedBytes += bytes.copy(this.#parked, this.#parkedBytes, at, end);
    if (this.#held.bytes > this.#held.bytesMax) {
      throw new RpcError(rpcStatus.resourceExhausted, 'Too many long messages at once');
    }
  }

  #unpark(): void {
    this.#held.bytes -= this.#parked.length;
    this.#parked = Buffer.alloc(0);
    this.#parkedBytes = 0;
  }
}
