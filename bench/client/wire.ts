import { connect, type Socket } from 'node:net';
import { frameBytesMax, frameHeaderBytes, writeFrameHeader } from './frame.ts';

/** Who is told of what arrives. An exception from either ends the wire. */
export interface WireReader {
  /** One whole frame, its payload at `bytes[at, end)`, which holds until this returns. */
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, at: number, end: number): void;
  /** All that had arrived has been read; what is put down now leaves in one write. */
  onRead(): void;
  onEnd(cause: Error): void;
}

const inboxBytes = 256 * 1024;

/** Frames over a bare socket, read and written in place: one read, one write, however many frames. */
export class Wire {
  readonly #socket: Socket;
  readonly #reader: WireReader;
  readonly #outboxBytes: number;
  /** Buffers that no write holds any more. */
  readonly #spare: Buffer[] = [];
  readonly #inbox = Buffer.allocUnsafeSlow(inboxBytes);
  #filled = 0;
  #outbox: Buffer;
  #written = 0;

  /** @param outboxBytes the most that is put down between two reads */
  constructor(port: number, outboxBytes: number, reader: WireReader) {
    this.#reader = reader;
    this.#outboxBytes = outboxBytes;
    this.#outbox = Buffer.allocUnsafeSlow(outboxBytes);
    const buffer = Buffer.allocUnsafeSlow(64 * 1024);
    const callback = (count: number, bytes: Uint8Array) => this.#onBytes(bytes.subarray(0, count));
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
    this.#socket.once('error', (cause) => reader.onEnd(cause));
    this.#socket.once('close', () => reader.onEnd(new Error('the server closed the connection')));
  }

  send(bytes: Uint8Array): void {
    this.#outbox.set(bytes, this.#written);
    this.#written += bytes.length;
  }

  /** Puts down a frame whose payload `fill` writes where it is told to; returns the payload's length. */
  sendFilled(
    type: number,
    flags: number,
    stream: number,
    fill: (target: Buffer, at: number) => number,
  ): number {
    const length = fill(this.#outbox, this.#written + frameHeaderBytes);
    writeFrameHeader(this.#outbox, this.#written, length, type, flags, stream);
    this.#written += frameHeaderBytes + length;
    return length;
  }

  flush(): void {
    if (this.#written === 0) return;
    const sent = this.#outbox;
    this.#socket.write(sent.subarray(0, this.#written), () => this.#spare.push(sent));
    this.#outbox = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#outboxBytes);
    this.#written = 0;
  }

  close(): void {
    this.#socket.destroy();
  }

  #onBytes(bytes: Uint8Array): boolean {
    this.#inbox.set(bytes, this.#filled);
    this.#filled += bytes.length;
    try {
      this.#readFrames();
      this.#reader.onRead();
      this.flush();
    } catch (cause) {
      this.#reader.onEnd(cause as Error);
    }
    return true;
  }

  #readFrames(): void {
    const inbox = this.#inbox;
    let at = 0;
    while (this.#filled - at >= frameHeaderBytes) {
      const head = inbox.readUInt32BE(at);
      const payloadAt = at + frameHeaderBytes;
      const end = payloadAt + (head >>> 8);
      if (end - at > frameBytesMax) throw new Error('the server sent a larger frame than it may');
      if (end > this.#filled) break;
      this.#reader.onFrame(
        head & 0xff,
        inbox.readUInt8(at + 4),
        inbox.readUInt32BE(at + 5),
        inbox,
        payloadAt,
        end,
      );
      at = end;
    }
    inbox.copyWithin(0, at, this.#filled);
    this.#filled -= at;
  }
}
