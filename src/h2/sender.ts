import type { Socket } from 'node:net';
import type { Bounds } from './bounds.ts';
import {
  answerDataAt,
  answerStart,
  httpBlock,
  httpBody,
  okTrailers,
  okTrailersBlock,
  openingBlock,
  prefixBytes,
} from './calls/grpc-frames.ts';
import {
  ConnectionError,
  errorCode,
  flag,
  frameHeaderBytes,
  frameType,
  initialWindowBytes,
  payloadBytesMax,
  windowBytesMax,
  writeFrameHeader,
  writeUint32,
} from './frame.ts';
import type { Outbox } from './outbox.ts';
import type { Stream } from './stream.ts';

/** A dynamic table size update to 0 (RFC 7541, section 6.3), which is all that this encoder ever uses. */
const noTable = Buffer.of(0x20);
const endBoth = flag.endHeaders | flag.endStream;

/** Writes answers as far as the peer's windows and its socket allow, and the rest when they do. */
export class Sender {
  /** What the peer takes in on a stream that begins now. */
  initialWindow = initialWindowBytes;
  readonly #outbox: Outbox;
  readonly #socket: Socket;
  readonly #bounds: Bounds;
  /** Told of each stream whose answer is written to its end. */
  readonly #onEnded: (stream: Stream) => void;
  readonly #waiting = new Set<Stream>();
  #waitingBytes = 0;
  #window = initialWindowBytes;
  #isTableTold = true;

  constructor(outbox: Outbox, socket: Socket, bounds: Bounds, onEnded: (stream: Stream) => void) {
    this.#outbox = outbox;
    this.#socket = socket;
    this.#bounds = bounds;
    this.#onEnded = onEnded;
  }

  /** A whole call that went well: headers, one message, trailers, in one piece where the windows allow. */
  answer(stream: Stream, message: Uint8Array): void {
    const { length } = message;
    const dataBytes = prefixBytes + length;
    if (dataBytes > this.#room(stream) || !this.#isTableTold) {
      this.send(stream, message);
      this.end(stream, okTrailersBlock);
      return;
    }
    this.#window -= dataBytes;
    const { id } = stream;
    const messageAt = answerStart.length;
    const trailersAt = messageAt + length;
    const out = this.#outbox.reserve(trailersAt + okTrailers.length);
    const at = this.#outbox.at;
    out.set(answerStart, at);
    writeUint32(out, at + 5, id);
    writeFrameHeader(out, at + answerDataAt, dataBytes, frameType.data, 0, id);
    writeUint32(out, at + messageAt - 4, length);
    out.set(message, at + messageAt);
    out.set(okTrailers, at + trailersAt);
    writeUint32(out, at + trailersAt + 5, id);
    this.#outbox.at = at + trailersAt + okTrailers.length;
    this.#onEnded(stream);
  }

  /** One message; `onSent` is called when it is written. */
  send(stream: Stream, message: Uint8Array, onSent?: () => void): void {
    this.#open(stream);
    const framed = Buffer.allocUnsafe(prefixBytes + message.length);
    framed[0] = 0;
    writeUint32(framed, 1, message.length);
    framed.set(message, prefixBytes);
    this.#queue(stream, framed);
    if (onSent) stream.waiting?.onSent.push(onSent);
    this.#pump(stream);
  }

  /** Ends a stream after what was sent on it, with the fields of its gRPC status. */
  end(stream: Stream, statusFields: Buffer): void {
    if (stream.waiting !== null) stream.waiting.end = statusFields;
    else this.#end(stream, statusFields);
  }

  /** Ends it at once, whatever waits. */
  fail(stream: Stream, statusFields: Buffer): void {
    this.forget(stream);
    this.#end(stream, statusFields);
  }

  /** Answers what is no gRPC. */
  refuse(stream: Stream, httpStatus: number): void {
    stream.isOpened = true;
    const { isBodyWanted } = stream.head;
    this.#headers(stream.id, isBodyWanted ? flag.endHeaders : endBoth, httpBlock(httpStatus));
    if (isBodyWanted) {
      this.#queue(stream, httpBody);
      if (stream.waiting !== null) stream.waiting.end = 'data';
      this.#pump(stream);
    } else {
      this.#onEnded(stream);
    }
  }

  /** Drops what waits to be sent on a stream. */
  forget(stream: Stream): void {
    for (const chunk of stream.waiting?.chunks ?? []) this.#waitingBytes -= chunk.length;
    this.#waitingBytes += stream.waiting?.sent ?? 0;
    stream.waiting = null;
    this.#waiting.delete(stream);
  }

  /** The peer takes in more on all streams together. */
  widen(bytes: number): void {
    this.#window += bytes;
    if (this.#window > windowBytesMax) {
      throw new ConnectionError(errorCode.flowControl, "the connection's window is too large");
    }
    this.pump();
  }

  /** False where the window would be larger than there are. */
  widenStream(stream: Stream, bytes: number): boolean {
    stream.sendWindow += bytes;
    if (stream.sendWindow > windowBytesMax) return false;
    if (stream.waiting !== null) this.#pump(stream);
    return true;
  }

  /** The peer changed the window of every stream, those in `streams` and those to come. */
  resizeWindows(streams: Iterable<Stream>, bytes: number): void {
    const more = bytes - this.initialWindow;
    this.initialWindow = bytes;
    for (const stream of streams) {
      stream.sendWindow += more;
      if (stream.sendWindow > windowBytesMax) {
        throw new ConnectionError(errorCode.flowControl, "a stream's window is too large");
      }
    }
    this.pump();
  }

  /** The peer's table is smaller than an encoder may assume: the next block has to say that none is used. */
  tellTable(): void {
    this.#isTableTold = false;
  }

  /** Goes on with what waits. */
  pump(): void {
    for (const stream of [...this.#waiting]) {
      if (this.#window <= 0) return;
      this.#pump(stream);
    }
  }

  #room(stream: Stream): number {
    // A socket that is not read takes no more; its `drain` goes on from here.
    if (this.#socket.writableLength > this.#bounds.unreadBytesMax || stream.waiting !== null) return 0;
    return Math.min(this.#window, stream.sendWindow, payloadBytesMax);
  }

  #open(stream: Stream): void {
    if (stream.isOpened) return;
    stream.isOpened = true;
    this.#headers(stream.id, flag.endHeaders, openingBlock);
  }

  #end(stream: Stream, statusFields: Buffer): void {
    const block = stream.isOpened ? statusFields : Buffer.concat([openingBlock, statusFields]);
    stream.isOpened = true;
    this.#headers(stream.id, endBoth, block);
    this.#onEnded(stream);
  }

  #headers(id: number, flags: number, fields: Buffer): void {
    const block = this.#isTableTold ? fields : Buffer.concat([noTable, fields]);
    this.#isTableTold = true;
    const out = this.#outbox.reserve(frameHeaderBytes + block.length);
    writeFrameHeader(out, this.#outbox.at, block.length, frameType.headers, flags, id);
    out.set(block, this.#outbox.at + frameHeaderBytes);
    this.#outbox.at += frameHeaderBytes + block.length;
  }

  #queue(stream: Stream, chunk: Buffer): void {
    stream.waiting ??= { chunks: [], sent: 0, end: null, onSent: [] };
    stream.waiting.chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > this.#bounds.waitingBytesMax) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'answers are not taken in');
    }
  }

  #pump(stream: Stream): void {
    const { waiting } = stream;
    if (waiting === null) return;
    stream.waiting = null; // for `#room`, which lets nobody overtake
    for (let chunk = waiting.chunks[0]; chunk !== undefined; chunk = waiting.chunks[0]) {
      const count = Math.min(chunk.length - waiting.sent, this.#room(stream));
      if (count <= 0) {
        stream.waiting = waiting;
        this.#waiting.add(stream);
        return;
      }
      const isLast =
        waiting.end === 'data' && waiting.chunks.length === 1 && waiting.sent + count === chunk.length;
      this.#data(stream, chunk.subarray(waiting.sent, waiting.sent + count), isLast);
      waiting.sent += count;
      if (waiting.sent < chunk.length) continue;
      waiting.chunks.shift();
      waiting.sent = 0;
    }
    this.#waiting.delete(stream);
    if (waiting.end === 'data') this.#onEnded(stream);
    else if (waiting.end !== null) this.#end(stream, waiting.end);
    else for (const onSent of waiting.onSent) onSent();
  }

  #data(stream: Stream, payload: Buffer, isLast: boolean): void {
    const { length } = payload;
    this.#window -= length;
    stream.sendWindow -= length;
    this.#waitingBytes -= length;
    const out = this.#outbox.reserve(frameHeaderBytes + length);
    writeFrameHeader(out, this.#outbox.at, length, frameType.data, isLast ? flag.endStream : 0, stream.id);
    out.set(payload, this.#outbox.at + frameHeaderBytes);
    this.#outbox.at += frameHeaderBytes + length;
  }
}
