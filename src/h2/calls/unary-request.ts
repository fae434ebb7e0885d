import { RpcError, type RpcStreamListener, rpcStatus } from '../../net/rpc.ts';
import type { Held } from './message-reader.ts';

/** A unary call's request that comes in several frames: one message, and then the end. */
export class UnaryRequest implements RpcStreamListener {
  readonly #path: string;
  readonly #held: Held;
  readonly #run: (request: Buffer) => void;
  #request: Buffer | null = null;

  constructor(path: string, held: Held, run: (request: Buffer) => void) {
    this.#path = path;
    this.#held = held;
    this.#run = run;
  }

  onMessage(message: Buffer): void {
    if (this.#request !== null) {
      throw new RpcError(
        rpcStatus.unimplemented,
        `Received a second request message for unary method ${this.#path}`,
      );
    }
    if (this.#held.bytes + message.length > this.#held.bytesMax) {
      throw new RpcError(rpcStatus.resourceExhausted, 'Too many long messages at once');
    }
    // Its end may be long in coming: what else was read with it is not kept.
    this.#request = Buffer.from(message);
    this.#held.bytes += message.length;
  }

  onHalfClose(): void {
    const request = this.#request;
    if (request === null) {
      throw new RpcError(
        rpcStatus.unimplemented,
        `Received no request message for unary method ${this.#path}`,
      );
    }
    this.release();
    this.#run(request);
  }

  onCancelled(): void {
    this.release();
  }

  /** Gives up what is kept. */
  release(): void {
    this.#held.bytes -= this.#request?.length ?? 0;
    this.#request = null;
  }
}
