import { RpcError, rpcStatus } from '../../net/rpc.ts';
import { prefixBytes } from './grpc-frames.ts';

/** What all connections together hold of messages that have not arrived whole. */
export interface Held {
  bytes: number;
  readonly bytesMax: number;
}

export interface MessageSink {
  /** One whole message: a view into what was read, or a buffer of its own. False where no more is wanted now. */
  onMessage(message: Buffer): boolean;
}

/** The least that is set aside for a message; more follows as it arrives, so that a length alone costs little. */
const firstBytes = 4_096;

/**
 * Finds gRPC's messages in the DATA frames of one call. Throws an RpcError at one that is too long, is compressed,
 * or finds no room.
 */
export class MessageReader {
  readonly #bytesMax: number;
  readonly #encoding: string;
  readonly #held: Held;
  readonly #prefix = Buffer.alloc(prefixBytes);
  #prefixFilled = 0;
  #length = 0;
  #bytes: Buffer | null = null;
  #filled = 0;

  /** @param encoding the request's `grpc-encoding`, empty for none */
  constructor(bytesMax: number, encoding: string, held: Held) {
    this.#bytesMax = bytesMax;
    this.#encoding = encoding;
    this.#held = held;
  }

  /** Whether the call would end in the middle of a message. */
  get isCut(): boolean {
    return this.#prefixFilled > 0;
  }

  /** Returns how far it read: `end`, or less where the sink wanted no more. */
  read(chunk: Buffer, start: number, end: number, sink: MessageSink): number {
    let at = start;
    while (at < end) {
      if (this.#prefixFilled < prefixBytes) {
        const copied = chunk.copy(this.#prefix, this.#prefixFilled, at, end);
        this.#prefixFilled += copied;
        at += copied;
        if (this.#prefixFilled < prefixBytes) break;
        this.#begin();
      }
      const missing = this.#length - this.#filled;
      const count = Math.min(missing, end - at);
      const isWhole = count === missing;
      if (count > 0 && !(isWhole && this.#filled === 0)) this.#keep(chunk, at, at + count);
      at += count;
      if (isWhole && !sink.onMessage(this.#finish(this.#bytes ?? chunk.subarray(at - count, at)))) break;
    }
    return at;
  }

  /** Gives up what has arrived of a message. */
  release(): void {
    this.#held.bytes -= this.#bytes?.length ?? 0;
    this.#bytes = null;
    this.#filled = 0;
    this.#prefixFilled = 0;
  }

  #begin(): void {
    const flags = this.#prefix[0];
    if (flags === 1 && this.#encoding !== '' && this.#encoding !== 'identity') {
      throw new CompressedError(this.#encoding);
    }
    if (flags !== 0) {
      throw new RpcError(rpcStatus.internal, 'Received a message with a wrong compression flag');
    }
    this.#length = this.#prefix.readUInt32BE(1);
    if (this.#length > this.#bytesMax) {
      const message = `Received message larger than max (${this.#length} vs ${this.#bytesMax})`;
      throw new RpcError(rpcStatus.resourceExhausted, message);
    }
  }

  #keep(chunk: Buffer, at: number, end: number): void {
    const needed = this.#filled + end - at;
    const has = this.#bytes?.length ?? 0;
    if (needed > has) {
      const wanted = Math.min(this.#length, Math.max(needed, 2 * has, firstBytes));
      if (this.#held.bytes + wanted - has > this.#held.bytesMax) {
        throw new RpcError(rpcStatus.resourceExhausted, 'Too many long messages at once');
      }
      const grown = Buffer.allocUnsafeSlow(wanted);
      this.#bytes?.copy(grown, 0, 0, this.#filled);
      this.#held.bytes += wanted - has;
      this.#bytes = grown;
    }
    this.#filled += chunk.copy(this.#bytes as Buffer, this.#filled, at, end);
  }

  #finish(message: Buffer): Buffer {
    this.release();
    this.#length = 0;
    return message;
  }
}

/** The caller compressed what nobody here can read; it is told what can be. */
export class CompressedError extends RpcError {
  constructor(encoding: string) {
    const quoted = encoding.slice(0, 100);
    super(rpcStatus.unimplemented, `Received message compressed with unsupported encoding "${quoted}"`);
  }
}
