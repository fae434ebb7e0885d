import type { Allowance } from './allowance.ts';
import {
  ConnectionError,
  errorCode,
  flag,
  frame,
  frameType,
  payloadBytesMax,
  protocolError,
  setting,
  windowBytesMax,
} from './frame.ts';
import type { Outbox } from './outbox.ts';
import type { Sender } from './sender.ts';
import type { Streams } from './streams.ts';

export interface ControlDependencies {
  readonly outbox: Outbox;
  readonly sender: Sender;
  readonly streams: Streams;
  readonly now: () => number;
  /** How many frames that carry nothing of a call are taken. */
  readonly idleFrames: Allowance;
  /** The highest stream that the peer has begun. */
  readonly lastStream: () => number;
  readonly onPingAnswered: (payload: Buffer) => void;
}

const settingsAck = frame(frameType.settings, flag.ack, 0, Buffer.alloc(0));
const smallestDefaultTable = 4_096;
const frameMaxMost = 0xff_ffff;

/** The frames by which a peer steers its connection (RFC 9113, section 6.3 to 6.9). */
export class Control {
  readonly #dependencies: ControlDependencies;

  constructor(dependencies: ControlDependencies) {
    this.#dependencies = dependencies;
  }

  /** Counts a frame that carries nothing of a call. */
  count(): void {
    const { idleFrames, now } = this.#dependencies;
    if (!idleFrames.take(now())) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many frames that carry nothing');
    }
  }

  onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === frameType.windowUpdate) this.#windowUpdate(stream, payload);
    else if (type === frameType.rstStream) this.#rstStream(stream, payload);
    else {
      this.count();
      if (type === frameType.ping) this.#ping(flags, stream, payload);
      else if (type === frameType.settings) this.#settings(flags, stream, payload);
      else if (type === frameType.priority) this.#priority(stream, payload);
      else if (type === frameType.pushPromise) throw protocolError('PUSH_PROMISE of a client');
      else if (type === frameType.goaway) this.#goaway(stream, payload);
      // Of any other type nothing is known: it is ignored (section 4.1).
    }
  }

  #windowUpdate(id: number, payload: Buffer): void {
    const { sender, streams } = this.#dependencies;
    expectLength(payload, 4);
    this.count();
    const bytes = payload.readUInt32BE() & windowBytesMax;
    if (id === 0) {
      if (bytes === 0) throw protocolError('WINDOW_UPDATE of 0');
      sender.widen(bytes);
      return;
    }
    this.#expectBegun(id);
    const stream = streams.get(id);
    if (stream === undefined) return;
    if (bytes === 0) streams.reset(stream, errorCode.protocol);
    else if (!sender.widenStream(stream, bytes)) streams.reset(stream, errorCode.flowControl);
  }

  #rstStream(id: number, payload: Buffer): void {
    const { streams } = this.#dependencies;
    if (id === 0) throw protocolError('RST_STREAM of stream 0');
    expectLength(payload, 4);
    this.#expectBegun(id);
    const stream = streams.get(id);
    if (stream === undefined) this.count();
    else streams.cancelled(stream);
  }

  #ping(flags: number, stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('PING on a stream');
    expectLength(payload, 8);
    if (flags & flag.ack) this.#dependencies.onPingAnswered(payload);
    else this.#dependencies.outbox.put(frame(frameType.ping, flag.ack, 0, payload));
  }

  #settings(flags: number, stream: number, payload: Buffer): void {
    const { outbox } = this.#dependencies;
    if (stream !== 0) throw protocolError('SETTINGS on a stream');
    if (flags & flag.ack) {
      expectLength(payload, 0);
      return;
    }
    if (payload.length % 6 !== 0) throw new ConnectionError(errorCode.frameSize, 'SETTINGS are cut short');
    // First, so that what larger windows let go comes after it.
    outbox.put(settingsAck);
    for (let at = 0; at < payload.length; at += 6) {
      this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
  }

  #set(name: number, value: number): void {
    const { sender, streams } = this.#dependencies;
    if (name === setting.enablePush && value > 1) throw protocolError('ENABLE_PUSH is neither 0 nor 1');
    if (name === setting.frameMax && (value < payloadBytesMax || value > frameMaxMost)) {
      throw protocolError('MAX_FRAME_SIZE is out of bounds');
    }
    // Its table is never used: only a smaller one has to be acknowledged, once.
    if (name === setting.headerTableSize && value < smallestDefaultTable) sender.tellTable();
    if (name === setting.initialWindow) {
      if (value > windowBytesMax) {
        throw new ConnectionError(errorCode.flowControl, 'INITIAL_WINDOW_SIZE is out of bounds');
      }
      sender.resizeWindows(streams.all(), value);
    }
  }

  /** Priorities are not heeded (section 5.3.2). */
  #priority(stream: number, payload: Buffer): void {
    if (stream === 0) throw protocolError('PRIORITY of stream 0');
    if (payload.length !== 5) {
      const open = this.#dependencies.streams.get(stream);
      if (open === undefined) throw new ConnectionError(errorCode.frameSize, 'PRIORITY of a wrong length');
      this.#dependencies.streams.reset(open, errorCode.frameSize);
    } else if ((payload.readUInt32BE() & 0x7fff_ffff) === stream) {
      throw protocolError('a stream depends on itself');
    }
  }

  #goaway(stream: number, payload: Buffer): void {
    if (stream !== 0) throw protocolError('GOAWAY on a stream');
    if (payload.length < 8) throw new ConnectionError(errorCode.frameSize, 'GOAWAY is cut short');
  }

  #expectBegun(id: number): void {
    if (id > this.#dependencies.lastStream() || id % 2 === 0) throw protocolError('a stream that is idle');
  }
}

function expectLength(payload: Buffer, length: number): void {
  if (payload.length !== length) throw new ConnectionError(errorCode.frameSize, 'a frame of a wrong length');
}
