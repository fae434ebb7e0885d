import { ConnectionError, errorCode, frameHeaderBytes, payloadBytesMax } from './frame.ts';

export interface FrameSink {
  /** One whole frame, its payload at `bytes[at, end)`. Nothing writes there later. */
  onFrame(type: number, flags: number, stream: number, bytes: Buffer, at: number, end: number): void;
}

/** Finds frames in what a socket reads, however it is cut: in place, but for a frame that spans two reads. */
export class FrameReader {
  /** The start of a frame whose end has not arrived: as long as the whole frame, once that is known. */
  #held: Buffer | null = null;
  #filled = 0;

  /** Throws a ConnectionError at a frame that is longer than it may be. */
  read(chunk: Buffer, start: number, sink: FrameSink): void {
    let at = this.#held === null ? start : this.#complete(chunk, start, sink);
    const length = chunk.length;
    while (length - at >= frameHeaderBytes) {
      const end = at + frameHeaderBytes + payloadLength(chunk, at);
      if (end > length) break;
      pass(chunk, at, end, sink);
      at = end;
    }
    if (at < length) this.#hold(chunk, at);
  }

  #hold(chunk: Buffer, at: number): void {
    const isLengthKnown = chunk.length - at >= frameHeaderBytes;
    const bytes = isLengthKnown ? frameHeaderBytes + payloadLength(chunk, at) : frameHeaderBytes;
    this.#held = Buffer.allocUnsafeSlow(bytes);
    this.#filled = chunk.copy(this.#held, 0, at);
  }

  /** Adds to what is held; returns how far into the chunk that went. */
  #complete(chunk: Buffer, start: number, sink: FrameSink): number {
    let at = start;
    while (this.#held !== null && at < chunk.length) {
      const held = this.#held;
      const copied = chunk.copy(held, this.#filled, at);
      this.#filled += copied;
      at += copied;
      if (this.#filled < held.length) break;
      const whole = frameHeaderBytes + payloadLength(held, 0);
      if (whole > held.length) {
        this.#held = Buffer.allocUnsafeSlow(whole);
        held.copy(this.#held);
      } else {
        this.#held = null;
        pass(held, 0, whole, sink);
      }
    }
    return at;
  }
}

function payloadLength(bytes: Buffer, at: number): number {
  const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  if (length > payloadBytesMax) throw new ConnectionError(errorCode.frameSize, 'a frame is too long');
  return length;
}

function pass(bytes: Buffer, at: number, end: number, sink: FrameSink): void {
  const stream =
    (((bytes[at + 5] as number) & 0x7f) << 24) |
    ((bytes[at + 6] as number) << 16) |
    ((bytes[at + 7] as number) << 8) |
    (bytes[at + 8] as number);
  sink.onFrame(bytes[at + 3] as number, bytes[at + 4] as number, stream, bytes, at + frameHeaderBytes, end);
}
