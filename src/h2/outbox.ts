import type { Socket } from 'node:net';

/** Long enough for the answers of one read; no frame that is written here is longer. */
const outboxBytes = 65_536;
/** Buffers that wait for the next connection that has something to say. */
const sparesMax = 8;

/** Buffers that no connection is using. */
export type Spares = Buffer[];

/** What is written to one socket, gathered until `flush`: one write, however many frames. */
export class Outbox {
  /** Where the next frame goes in what `reserve` returns; whoever writes there moves it on. */
  at = 0;
  readonly #socket: Socket;
  readonly #spares: Spares;
  /** Whether the socket may read what it was given after `write` has returned. TLS encrypts later. */
  readonly #isLate: boolean;
  #bytes: Buffer | null = null;

  constructor(socket: Socket, spares: Spares, isLate: boolean) {
    this.#socket = socket;
    this.#spares = spares;
    this.#isLate = isLate;
  }

  /** A buffer with room for `count` bytes, 64 KiB at most, from `at` on. */
  reserve(count: number): Buffer {
    const bytes = this.#bytes;
    return bytes !== null && bytes.length - this.at >= count ? bytes : this.#makeRoom();
  }

  put(frame: Uint8Array): void {
    this.reserve(frame.length).set(frame, this.at);
    this.at += frame.length;
  }

  flush(): void {
    const bytes = this.#bytes;
    if (bytes === null) return;
    const written = bytes.subarray(0, this.at);
    this.at = 0;
    this.#bytes = null;
    if (this.#isLate || this.#socket.writableLength > 0) {
      this.#socket.write(Buffer.from(written));
    } else {
      this.#socket.write(written);
      // The kernel did not take all of it: the socket goes on from this buffer.
      if (this.#socket.writableLength > 0) return;
    }
    if (this.#spares.length < sparesMax) this.#spares.push(bytes);
  }

  #makeRoom(): Buffer {
    this.flush();
    this.#bytes = this.#spares.pop() ?? Buffer.allocUnsafeSlow(outboxBytes);
    return this.#bytes;
  }
}
