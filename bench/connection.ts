import { allowed, nonsense, type Outcome, readOutcome, rpcFailed } from './answer.ts';
import {
  flag,
  frame,
  frameHeaderBytes,
  frameType,
  initialWindowBytes,
  preface,
  readSettings,
  setting,
  windowUpdate,
} from './frame.ts';
import { callHeaders, createStatusReader } from './header-block.ts';
import type { Requests } from './requests.ts';
import { Wire, type WireReader } from './wire.ts';

/** What a connection asks, and whom it tells. */
export interface Load {
  readonly requests: Requests;
  /** Which request to send next; undefined when there are no more to send, now or ever. */
  next(): number | undefined;
  /** A stream ended: what came of it, and how long it took from write to read. */
  onAnswer(outcome: Outcome, micros: number): void;
  /** An allow without these bytes is nonsense; null: any will do. */
  readonly mention: Buffer | null;
}

/**
 * Keeps `streams` Checks in the air on one plaintext connection until there are no more to send, then closes
 * it. HTTP/2 is spoken here on the bare socket: Node's own client spends as much on a call as the servers
 * that are measured, so that it would be the one that is measured.
 */
export function runConnection(port: number, streams: number, load: Load): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  new Connection(port, streams, load, (cause) => (cause ? reject(cause) : resolve()));
  return promise;
}

interface Stream {
  readonly startedMs: number;
  outcome: Outcome;
  /** The part of an answer that has arrived, where it came in more than one DATA frame. */
  partial: Buffer | null;
}

const check = callHeaders('/envoy.service.auth.v3.Authorization/Check');
const noPush = frame(frameType.settings, 0, 0, Buffer.of(0, setting.enablePush, 0, 0, 0, 0));
const settingsAck = frame(frameType.settings, flag.ack, 0, new Uint8Array(0));
const receiveWindowBytes = 2 ** 30;
const controlBytesMax = 4096;
const tableBytes = 4096;

class Connection implements WireReader {
  readonly #wire: Wire;
  readonly #streams: number;
  readonly #load: Load;
  readonly #done: (cause?: Error) => void;
  readonly #inFlight = new Map<number, Stream>();
  readonly #statuses = createStatusReader();
  #nextStream = 1;
  #sendWindow = initialWindowBytes;
  #receivedBytes = 0;
  #ready = false;
  #exhausted = false;

  constructor(port: number, streams: number, load: Load, done: (cause?: Error) => void) {
    const callBytesMax = 2 * frameHeaderBytes + check.first.length + load.requests.bytesMax;
    this.#streams = streams;
    this.#load = load;
    this.#done = done;
    this.#wire = new Wire(port, streams * callBytesMax + controlBytesMax, this);
    this.#wire.send(Buffer.concat([preface, noPush, windowUpdate(receiveWindowBytes)]));
    this.#wire.flush();
  }

  onFrame(type: number, flags: number, stream: number, bytes: Buffer, at: number, end: number): void {
    if (type === frameType.data) this.#onData(flags, stream, bytes, at, end);
    else if (type === frameType.headers) this.#onHeaders(flags, stream, bytes.subarray(at, end));
    else this.#onControl(type, flags, stream, bytes.subarray(at, end));
  }

  onRead(): void {
    if (this.#ready) this.#startCalls();
    if (this.#exhausted && this.#inFlight.size === 0) this.onEnd();
  }

  onEnd(cause?: Error): void {
    this.#done(cause);
    this.#wire.close();
  }

  #onData(flags: number, id: number, bytes: Buffer, at: number, end: number): void {
    if (flags & (flag.padded | flag.endStream)) throw new Error(`DATA with flags ${flags}, unread here`);
    this.#receivedBytes += end - at;
    if (this.#receivedBytes > receiveWindowBytes / 2) {
      this.#wire.send(windowUpdate(this.#receivedBytes));
      this.#receivedBytes = 0;
    }
    const stream = this.#inFlight.get(id);
    if (stream === undefined) return;
    if (stream.partial === null && end - at >= 5 && bytes.readUInt32BE(at + 1) === end - at - 5) {
      stream.outcome = this.#judge(bytes, at, end);
    } else {
      stream.partial = Buffer.concat([stream.partial ?? Buffer.alloc(0), bytes.subarray(at, end)]);
    }
  }

  #onHeaders(flags: number, id: number, block: Buffer): void {
    if ((flags & flag.endHeaders) === 0 || flags & (flag.padded | flag.priority)) {
      throw new Error(`HEADERS with flags ${flags}, unread here`);
    }
    const status = this.#statuses.read(block);
    if (flags & flag.endStream) this.#endStream(id, status === 0);
  }

  #onControl(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === frameType.windowUpdate) {
      if (id === 0) this.#sendWindow += payload.readUInt32BE();
    } else if (type === frameType.settings) {
      if ((flags & flag.ack) === 0) this.#onSettings(readSettings(payload));
    } else if (type === frameType.ping) {
      if ((flags & flag.ack) === 0) this.#wire.send(frame(frameType.ping, flag.ack, 0, payload));
    } else if (type === frameType.rstStream) {
      this.#endStream(id, false);
    } else if (type === frameType.goaway) {
      throw new Error(`the server sent GOAWAY, error ${payload.readUInt32BE(4)}`);
    } else if (type === frameType.pushPromise || type === frameType.continuation) {
      throw new Error(`a frame of type ${type}, unread here`);
    }
  }

  #onSettings(settings: Map<number, number>): void {
    this.#wire.send(settingsAck);
    const streamsMax = settings.get(setting.streamsMax) ?? this.#streams;
    if (streamsMax < this.#streams) throw new Error(`the server allows ${streamsMax} streams a connection`);
    const window = settings.get(setting.initialWindow) ?? initialWindowBytes;
    if (window < this.#load.requests.bytesMax) throw new Error(`the server takes ${window} bytes a stream`);
    const table = settings.get(setting.headerTableSize) ?? tableBytes;
    if (table < tableBytes) throw new Error(`the server's header table holds ${table} bytes`);
    this.#ready = true;
  }

  #judge(bytes: Buffer, at: number, end: number): Outcome {
    const { mention } = this.#load;
    if (end - at < 5 || bytes[at] !== 0 || bytes.readUInt32BE(at + 1) !== end - at - 5) return nonsense;
    const outcome = readOutcome(bytes, at + 5, end);
    const lacking = outcome === allowed && mention !== null && !bytes.subarray(at, end).includes(mention);
    return lacking ? nonsense : outcome;
  }

  #endStream(id: number, ok: boolean): void {
    const stream = this.#inFlight.get(id);
    if (stream === undefined) return;
    this.#inFlight.delete(id);
    if (stream.partial) stream.outcome = this.#judge(stream.partial, 0, stream.partial.length);
    this.#load.onAnswer(ok ? stream.outcome : rpcFailed, (performance.now() - stream.startedMs) * 1000);
  }

  #startCalls(): void {
    const startedMs = performance.now();
    while (this.#inFlight.size < this.#streams && this.#sendWindow >= this.#load.requests.bytesMax) {
      const index = this.#load.next();
      this.#exhausted = index === undefined;
      if (index === undefined) return;
      this.#call(index);
      this.#inFlight.set(this.#nextStream, { startedMs, outcome: nonsense, partial: null });
      this.#nextStream += 2;
    }
  }

  #call(index: number): void {
    const block = this.#nextStream === 1 ? check.first : check.later;
    this.#wire.sendFilled(frameType.headers, flag.endHeaders, this.#nextStream, (target, at) => {
      target.set(block, at);
      return block.length;
    });
    this.#sendWindow -= this.#wire.sendFilled(
      frameType.data,
      flag.endStream,
      this.#nextStream,
      (target, at) => this.#load.requests.write(index, target, at),
    );
  }
}
