import { RpcError, type RpcStream, rpcStatus, type StreamHandler } from '../../net/rpc.ts';
import { type ConnectionCounts, countRefusal } from '../../telemetry/connection-counts.ts';
import type { Bounds } from '../bounds.ts';
import { errorCode, windowUpdate } from '../frame.ts';
import type { Head } from '../headers/head.ts';
import { Input } from '../input.ts';
import type { Outbox } from '../outbox.ts';
import type { Sender } from '../sender.ts';
import { Stream } from '../stream.ts';
import type { Streams } from '../streams.ts';
import { acceptedEncodings, okTrailersBlock, prefixBytes, statusBlock } from './grpc-frames.ts';
import { CompressedError, type Held, MessageReader } from './message-reader.ts';
import { UnaryRequest } from './unary-request.ts';

export interface CallsDependencies {
  readonly bounds: Bounds;
  readonly now: () => number;
  readonly streams: Streams;
  readonly outbox: Outbox;
  readonly sender: Sender;
  readonly held: Held;
  readonly counts: ConnectionCounts;
  /** Told of what a handler should not have thrown; must not throw. */
  readonly onBroken: (error: unknown) => void;
  /** Runs what may write, and may break the connection, apart from a read of its socket. */
  readonly outside: (step: () => void) => void;
}

/** The calls of one connection, from what arrives of a request to the handler and back. */
export class Calls {
  readonly #dependencies: CallsDependencies;
  readonly #streams: Streams;
  readonly #sender: Sender;

  constructor(dependencies: CallsDependencies) {
    this.#dependencies = dependencies;
    this.#streams = dependencies.streams;
    this.#sender = dependencies.sender;
  }

  begin(id: number, head: Head, isEnd: boolean, now: number): void {
    const method = head.method ?? undefined;
    const { streamWindowBytes } = this.#dependencies.bounds;
    const stream = new Stream(id, head, now, this.#sender.initialWindow, streamWindowBytes);
    stream.isRemoteClosed = isEnd;
    this.#streams.add(stream);
    if (method?.kind === 'stream') this.#start(stream, method.start);
    // What is no gRPC is answered when it has ended: it may yet turn out to be malformed.
    else if (method === undefined && head.httpStatus === 0) this.#refuse(stream);
    if (isEnd) this.end(stream);
  }

  /** What a DATA frame carried, on a stream that its peer had not ended. */
  data(stream: Stream, bytes: Buffer, at: number, end: number, isEnd: boolean): void {
    stream.receivedBytes += end - at;
    stream.isRemoteClosed = isEnd;
    if (isEnd && this.#isWhole(stream, bytes, at, end)) {
      this.#run(stream, bytes.subarray(at + prefixBytes, end));
      return;
    }
    if (stream.head.contentLength >= 0 && stream.receivedBytes > stream.head.contentLength) {
      this.#streams.reset(stream, errorCode.protocol);
      return;
    }
    if (!stream.isDecided && stream.head.method !== null) {
      this.#attempt(stream, () => {
        stream.input ??= this.#unaryInput(stream);
        stream.input.read(bytes, at, end);
      });
    }
    if (isEnd) this.end(stream);
    else this.#credit(stream);
  }

  /** The request has come to its end. */
  end(stream: Stream): void {
    const { contentLength } = stream.head;
    stream.isRemoteClosed = true;
    if (contentLength >= 0 && stream.receivedBytes !== contentLength) {
      this.#streams.reset(stream, errorCode.protocol);
    } else if (stream.isDecided) {
      return;
    } else if (stream.head.method === null) {
      this.#refuse(stream);
    } else {
      this.#attempt(stream, () => {
        stream.input ??= this.#unaryInput(stream);
        stream.input.halfClose();
      });
    }
  }

  /** Ends a call with an error; the cause of one that is no RpcError stays here. */
  fail(stream: Stream, error: unknown): void {
    if (stream.isDecided) return;
    stream.isDecided = true;
    stream.input?.close();
    let fields = statusBlock(rpcStatus.internal, 'Internal error');
    if (error instanceof RpcError) {
      fields = statusBlock(error.code, error.message);
      countRefusal(this.#dependencies.counts, error.code);
    } else this.#dependencies.onBroken(error);
    if (error instanceof CompressedError) fields = Buffer.concat([fields, acceptedEncodings]);
    this.#sender.fail(stream, fields);
  }

  /** Ends the calls whose time is over; returns when the next one's is, Infinity for never. */
  expire(now: number): number {
    const { callMaxMs } = this.#dependencies.bounds;
    let next = Number.POSITIVE_INFINITY;
    for (const stream of this.#streams.all()) {
      const isUnary = stream.head.method?.kind !== 'stream';
      if (now < stream.deadline && !(isUnary && now >= stream.startedAt + callMaxMs)) {
        next = Math.min(next, stream.deadline);
      } else if (stream.isDecided) {
        this.#streams.abandon(stream);
      } else {
        stream.input?.cancel();
        this.fail(stream, new RpcError(rpcStatus.deadlineExceeded, 'Deadline exceeded'));
      }
    }
    return next;
  }

  /** Whether a frame that ends the stream holds all of a unary request: nearly every one does. */
  #isWhole(stream: Stream, bytes: Buffer, at: number, end: number): boolean {
    const length = end - at - prefixBytes;
    return (
      length >= 0 &&
      stream.head.method !== null &&
      stream.input === null &&
      !stream.isDecided &&
      stream.head.contentLength < 0 &&
      bytes[at] === 0 &&
      (((bytes[at + 1] as number) << 24) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 8) |
        (bytes[at + 4] as number)) ===
        length &&
      length <= this.#dependencies.bounds.requestBytesMax
    );
  }

  #run(stream: Stream, request: Buffer): void {
    const { method } = stream.head;
    if (method?.kind !== 'unary') return;
    let answer: Uint8Array | Promise<Uint8Array>;
    try {
      answer = method.handle(request, stream.head);
    } catch (error) {
      this.fail(stream, error);
      return;
    }
    if (answer instanceof Promise) this.#wait(stream, answer);
    else this.#answer(stream, answer);
  }

  #wait(stream: Stream, answer: Promise<Uint8Array>): void {
    const { outside } = this.#dependencies;
    answer.then(
      (message) => outside(() => this.#answer(stream, message)),
      (error) => outside(() => this.fail(stream, error)),
    );
  }

  #answer(stream: Stream, message: Uint8Array): void {
    if (stream.isDecided) return;
    if (stream.deadline <= this.#dependencies.now()) {
      this.fail(stream, new RpcError(rpcStatus.deadlineExceeded, 'Deadline exceeded'));
      return;
    }
    stream.isDecided = true;
    this.#sender.answer(stream, message);
  }

  #refuse(stream: Stream): void {
    const { resetWith, httpStatus, error } = stream.head;
    if (resetWith === errorCode.enhanceYourCalm) this.#dependencies.counts.refused.headers += 1;
    if (resetWith !== 0) this.#streams.reset(stream, resetWith);
    else if (error !== null) this.fail(stream, error);
    else {
      stream.isDecided = true;
      this.#sender.refuse(stream, httpStatus);
    }
  }

  #start(stream: Stream, start: StreamHandler): void {
    const { bounds, held } = this.#dependencies;
    const reader = new MessageReader(bounds.requestBytesMax, stream.head.encoding, held);
    this.#attempt(stream, () => {
      const input = new Input(start(this.#seam(stream)), reader, held);
      stream.input = input;
    });
  }

  /** What a streaming handler has of its call. */
  #seam(stream: Stream): RpcStream {
    const { outside } = this.#dependencies;
    return {
      send: (message, onSent) => {
        if (!stream.isDecided) outside(() => this.#sender.send(stream, message, onSent));
      },
      end: (error) => outside(() => (error ? this.fail(stream, error) : this.#finish(stream))),
      pause: () => stream.input?.pause(),
      resume: () =>
        outside(() => {
          this.#attempt(stream, () => stream.input?.resume());
          this.#credit(stream);
        }),
    };
  }

  #finish(stream: Stream): void {
    if (stream.isDecided) return;
    stream.isDecided = true;
    stream.input?.close();
    this.#sender.end(stream, okTrailersBlock);
  }

  #unaryInput(stream: Stream): Input {
    const { bounds, held } = this.#dependencies;
    const reader = new MessageReader(bounds.requestBytesMax, stream.head.encoding, held);
    const request = new UnaryRequest(stream.head.path, held, (message) => this.#run(stream, message));
    return new Input(request, reader, held);
  }

  /** Runs what may throw an RpcError, or break. */
  #attempt(stream: Stream, step: () => void): void {
    try {
      step();
    } catch (error) {
      stream.input?.cancel();
      this.fail(stream, error);
    }
  }

  /** Tells the peer what was taken in of a stream, when it is much. */
  #credit(stream: Stream): void {
    const { bounds, outbox } = this.#dependencies;
    const isTaking = !stream.isDecided && !stream.isRemoteClosed && stream.input?.isOpen !== false;
    if (!isTaking || stream.receiveWindow > bounds.streamWindowBytes / 2) return;
    outbox.put(windowUpdate(stream.id, bounds.streamWindowBytes - stream.receiveWindow));
    stream.receiveWindow = bounds.streamWindowBytes;
  }
}
