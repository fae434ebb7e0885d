import { nonsense, type Outcome, rpcFailed } from './answer.ts';
import type { Calls } from './calls.ts';
import {
  flag,
  frame,
  frameType,
  initialWindowBytes,
  preface,
  readSettings,
  setting,
  windowUpdate,
} from './frame.ts';
import type { StatusReader } from './header-block.ts';
import type { Pace } from './pace.ts';
import { Wire, type WireReader } from './wire.ts';

/** What a connection calls, and whom it tells. */
export interface Load {
  readonly calls: Calls;
  readonly pace: Pace;
  /** Whether there is nothing more to send, ever. */
  isOver(): boolean;
  /** Which call to send next. */
  next(): number;
  /** A stream ended: what came of it, and how long it took, from when its pace says that it was due. */
  onAnswer(outcome: Outcome, micros: number): void;
}

export interface LoadConnection {
  /** Sends what has become due since the last answer: to be called where the pace is not closed. */
  pump(): void;
  /** Resolves when all is sent and answered; rejects when the connection fails. */
  readonly done: Promise<void>;
}

/**
 * Keeps up to `streams` calls in the air on one plaintext connection until there are no more to send, then closes
 * it. HTTP/2 is spoken here on the bare socket: Node's own client spends as much on a call as the servers
 * that are measured, so that it would be the one that is measured.
 */
export function openConnection(port: number, streams: number, load: Load): LoadConnection {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const connection = new Connection(port, streams, load, (cause) => (cause ? reject(cause) : resolve()));
  return { pump: () => connection.pump(), done: promise };
}

interface Stream {
  readonly startedMs: number;
  status: number | undefined;
  outcome: Outcome;
  /** The part of a body that has arrived, where it came in more than one DATA frame. */
  partial: Buffer | null;
}

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
  readonly #statuses: StatusReader;
  #nextStream = 1;
  #sendWindow = initialWindowBytes;
  #receivedBytes = 0;
  #ready = false;
  #exhausted = false;

  constructor(port: number, streams: number, load: Load, done: (cause?: Error) => void) {
    this.#streams = streams;
    this.#load = load;
    this.#done = done;
    this.#statuses = load.calls.createStatusReader();
    this.#wire = new Wire(port, streams * load.calls.callBytesMax + controlBytesMax, this);
    this.#wire.send(Buffer.concat([preface, noPush, windowUpdate(receiveWindowBytes)]));
    this.#wire.flush();
  }

  pump(): void {
    this.onRead();
    this.#wire.flush();
  }

  onFrame(type: number, flags: number, stream: number, bytes: Buffer, at: number, end: number): void {
    if (type === frameType.data) this.#onData(flags, stream, bytes, at, end);
    else if (type === frameType.headers) this.#onHeaders(flags, stream, bytes.subarray(at, end));
    else this.#onControl(type, flags, stream, bytes.subarray(at, end));
  }

  onRead(): void {
    if (this.#ready && !this.#exhausted) this.#startCalls();
    if (this.#exhausted && this.#inFlight.size === 0) this.onEnd();
  }

  onEnd(cause?: Error): void {
    this.#done(cause);
    this.#wire.close();
  }

  #onData(flags: number, id: number, bytes: Buffer, at: number, end: number): void {
    if (flags & flag.padded) throw new Error('DATA with padding, unread here');
    this.#receivedBytes += end - at;
    if (this.#receivedBytes > receiveWindowBytes / 2) {
      this.#wire.send(windowUpdate(this.#receivedBytes));
      this.#receivedBytes = 0;
    }
    const stream = this.#inFlight.get(id);
    if (stream === undefined) return;
    const { calls } = this.#load;
    if (stream.partial === null) {
      const judged = calls.judge(bytes, at, end);
      if (judged === undefined) stream.partial = Buffer.from(bytes.subarray(at, end));
      else stream.outcome = judged;
    } else {
      stream.partial = Buffer.concat([stream.partial, bytes.subarray(at, end)]);
      stream.outcome = calls.judge(stream.partial, 0, stream.partial.length) ?? nonsense;
    }
    if (flags & flag.endStream) this.#endStream(id, calls.outcome(stream.status, stream.outcome));
  }

  #onHeaders(flags: number, id: number, block: Buffer): void {
    if ((flags & flag.endHeaders) === 0 || flags & (flag.padded | flag.priority)) {
      throw new Error(`HEADERS with flags ${flags}, unread here`);
    }
    const status = this.#statuses.read(block);
    const stream = this.#inFlight.get(id);
    if (stream === undefined) return;
    stream.status ??= status;
    if (flags & flag.endStream) this.#endStream(id, this.#load.calls.outcome(stream.status, stream.outcome));
  }

  #onControl(type: number, flags: number, id: number, payload: Buffer): void {
    if (type === frameType.windowUpdate) {
      if (id === 0) this.#sendWindow += payload.readUInt32BE();
    } else if (type === frameType.settings) {
      if ((flags & flag.ack) === 0) this.#onSettings(readSettings(payload));
    } else if (type === frameType.ping) {
      if ((flags & flag.ack) === 0) this.#wire.send(frame(frameType.ping, flag.ack, 0, payload));
    } else if (type === frameType.rstStream) {
      this.#endStream(id, rpcFailed);
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
    if (window < this.#load.calls.bodyBytesMax) throw new Error(`the server takes ${window} bytes a stream`);
    const table = settings.get(setting.headerTableSize) ?? tableBytes;
    if (table < tableBytes) throw new Error(`the server's header table holds ${table} bytes`);
    this.#ready = true;
  }

  #endStream(id: number, outcome: Outcome): void {
    const stream = this.#inFlight.get(id);
    if (stream === undefined) return;
    this.#inFlight.delete(id);
    this.#load.onAnswer(outcome, (performance.now() - stream.startedMs) * 1000);
  }

  #startCalls(): void {
    const { calls, pace, isOver, next } = this.#load;
    const nowMs = performance.now();
    while (this.#inFlight.size < this.#streams && this.#sendWindow >= calls.bodyBytesMax) {
      this.#exhausted = isOver();
      if (this.#exhausted) return;
      const startedMs = pace.take(nowMs);
      if (startedMs === undefined) return;
      this.#sendWindow -= calls.send(this.#wire, this.#nextStream, next());
      const unread = { status: undefined, outcome: nonsense, partial: null };
      this.#inFlight.set(this.#nextStream, { startedMs, ...unread });
      this.#nextStream += 2;
    }
  }
}
