import type { RpcMethods } from '../../net/rpc.ts';
import type { ConnectionCounts } from '../../telemetry/connection-counts.ts';
import type { Allowance } from '../allowance.ts';
import type { Bounds } from '../bounds.ts';
import type { Control } from '../control.ts';
import {
  ConnectionError,
  errorCode,
  flag,
  frameType,
  protocolError,
  streamIdMax,
  windowUpdate,
} from '../frame.ts';
import type { FrameSink } from '../frame-reader.ts';
import { HeadReader } from '../headers/head.ts';
import { type BlockSink, HeaderBlocks, type Opening, unpad } from '../headers/header-block.ts';
import type { Outbox } from '../outbox.ts';
import type { Streams } from '../streams.ts';
import type { Calls } from './calls.ts';
import type { DeadlineTimer } from './deadline-timer.ts';

export interface DispatchDependencies {
  readonly methods: RpcMethods;
  readonly bounds: Bounds;
  readonly counts: ConnectionCounts;
  readonly outbox: Outbox;
  readonly streams: Streams;
  readonly calls: Calls;
  readonly control: Control;
  readonly deadlines: DeadlineTimer;
  readonly idleFrames: Allowance;
  /** How many fields of long headers are decoded. */
  readonly fields: Allowance;
  /** The first SETTINGS have come. */
  readonly onShookHands: () => void;
}

/** Headers with so many fields or less are not counted. */
const fieldsFreeMax = 100;

/** Takes the frames of one connection to where they belong. Throws a ConnectionError at what ends it. */
export class Dispatch implements FrameSink, BlockSink {
  /** When what is dispatched was read. */
  readAt = 0;
  /** The highest stream that the peer began. */
  lastStream = 0;
  /** The highest that is taken. */
  lastStreamMax = streamIdMax;
  /** The connection has ended: whatever else was read is for nobody. */
  isOver = false;
  readonly #dependencies: DispatchDependencies;
  readonly #streams: Streams;
  readonly #calls: Calls;
  readonly #heads: HeadReader;
  readonly #blocks: HeaderBlocks;
  #hasShakenHands = false;
  /** What the peer sent on all streams since it was last told that it was taken in. */
  #received = 0;

  constructor(dependencies: DispatchDependencies) {
    const { methods, bounds, streams, calls } = dependencies;
    this.#dependencies = dependencies;
    this.#streams = streams;
    this.#calls = calls;
    this.#heads = new HeadReader(methods, bounds.headerListBytesMax);
    this.#blocks = new HeaderBlocks(bounds, this);
  }

  onFrame(type: number, flags: number, stream: number, bytes: Buffer, at: number, end: number): void {
    if (this.isOver) return;
    if (this.#blocks.isOpen !== (type === frameType.continuation)) {
      throw protocolError('a header block is not continued, or what is none is');
    }
    if (!this.#hasShakenHands) {
      if (type !== frameType.settings || flags & flag.ack)
        throw protocolError('no SETTINGS after the preface');
      this.#hasShakenHands = true;
      this.#dependencies.onShookHands();
    }
    if (type === frameType.data) this.#onData(flags, stream, bytes, at, end);
    else if (type === frameType.headers) this.#blocks.headers(flags, stream, bytes, at, end);
    else if (type === frameType.continuation) this.#blocks.continuation(flags, stream, bytes, at, end);
    else this.#dependencies.control.onFrame(type, flags, stream, bytes.subarray(at, end));
  }

  onBlock({ stream: id, isEnd, isSelfDependent }: Opening, bytes: Buffer, at: number, end: number): void {
    const stream = this.#streams.get(id);
    if (stream !== undefined) {
      const isRight = this.#heads.readTrailers(bytes, at, end) && isEnd && !isSelfDependent;
      this.#countFields();
      if (stream.isRemoteClosed) this.#streams.reset(stream, errorCode.streamClosed);
      else if (isRight) this.#calls.end(stream);
      else this.#streams.reset(stream, errorCode.protocol);
      return;
    }
    const { bounds, counts, deadlines, idleFrames } = this.#dependencies;
    if (id % 2 === 0) throw protocolError('HEADERS on a stream that no client begins');
    const head = this.#heads.read(bytes, at, end);
    this.#countFields();
    if (id <= this.lastStream) {
      if (this.#streams.wasReset(id)) return;
      throw new ConnectionError(errorCode.streamClosed, 'HEADERS on a closed stream');
    }
    this.lastStream = id;
    // What the peer began after it was told that no more is taken it begins again elsewhere.
    if (id > this.lastStreamMax) return;
    if (isSelfDependent) {
      this.#streams.refuse(id, errorCode.protocol);
      return;
    }
    if (this.#streams.size >= bounds.streamsMax) {
      counts.refused.streams += 1;
      this.#streams.refuse(id, errorCode.refusedStream);
      return;
    }
    idleFrames.earn(bounds.idleFramesPerCall);
    if (head.timeoutMs !== Number.POSITIVE_INFINITY) deadlines.note(this.readAt + head.timeoutMs);
    this.#calls.begin(id, head, isEnd, this.readAt);
  }

  /** An octet may stand for a field: what costs time is how many there are, not how many bytes were sent. */
  #countFields(): void {
    const { fields } = this.#heads;
    if (fields > fieldsFreeMax && !this.#dependencies.fields.take(this.readAt, fields)) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'too many header fields');
    }
  }

  #onData(flags: number, id: number, bytes: Buffer, start: number, until: number): void {
    this.#take(until - start);
    let at = start;
    let end = until;
    if (flags & flag.padded) {
      end = unpad(bytes, start, until);
      at += 1;
    }
    const isEnd = (flags & flag.endStream) !== 0;
    if (at === end && !isEnd) this.#dependencies.control.count();
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (id > this.lastStream || id % 2 === 0) throw protocolError('DATA on a stream that is idle');
      if (id > this.lastStreamMax || this.#streams.wasReset(id)) return;
      this.#streams.refuse(id, errorCode.streamClosed);
      return;
    }
    stream.receiveWindow -= until - start;
    if (stream.isRemoteClosed) this.#streams.reset(stream, errorCode.streamClosed);
    else if (stream.receiveWindow < 0) this.#streams.reset(stream, errorCode.flowControl);
    else this.#calls.data(stream, bytes, at, end, isEnd);
  }

  /** What DATA frames carry is taken in at once; the peer is told when it is half of what it may send. */
  #take(bytes: number): void {
    this.#received += bytes;
    if (this.#received < this.#dependencies.bounds.connectionWindowBytes / 2) return;
    this.#dependencies.outbox.put(windowUpdate(0, this.#received));
    this.#received = 0;
  }
}
