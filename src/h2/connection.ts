import type { Socket } from 'node:net';
import type { CloseReason } from '../telemetry/connection-counts.ts';
import { Allowance } from './allowance.ts';
import { Calls } from './calls/calls.ts';
import { DeadlineTimer } from './calls/deadline-timer.ts';
import { Dispatch } from './calls/dispatch.ts';
import { reasonOf } from './close-reason.ts';
import { Control } from './control.ts';
import { ConnectionError, errorCode, frame, frameType, goaway, streamIdMax } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import { greeting } from './greeting.ts';
import { Lifetime } from './lifetime.ts';
import { Outbox } from './outbox.ts';
import { Preface } from './preface.ts';
import { Sender } from './sender.ts';
import type { Shared } from './shared.ts';
import { Streams } from './streams.ts';

const endingPing = Buffer.from('endings?');
const keepalivePing = Buffer.from('are you?');

/** One HTTP/2 connection with a gRPC client, from its preface to its end. */
export class Connection {
  /** By the clock of its listener. */
  readonly begunAt: number;
  /** Why it closes; null as long as nothing here wants it to. */
  closing: CloseReason | null = null;
  readonly #socket: Socket;
  readonly #shared: Shared;
  readonly #outbox: Outbox;
  readonly #sender: Sender;
  readonly #streams: Streams;
  readonly #calls: Calls;
  readonly #dispatch: Dispatch;
  readonly #preface = new Preface();
  readonly #reader = new FrameReader();
  readonly #deadlines: DeadlineTimer;
  readonly #lifetime: Lifetime;
  #isReading = false;
  #isFlushDue = false;
  #isAnnounced = false;
  #hasEnded = false;

  /** @param isLate whether the socket reads what it is given only after `write` has returned, as TLS does */
  constructor(socket: Socket, shared: Shared, isLate: boolean) {
    const { bounds, clock, held, counts, onBroken, methods } = shared;
    const { now } = clock;
    const begun = now();
    this.begunAt = begun;
    this.#socket = socket;
    this.#shared = shared;
    this.#lifetime = new Lifetime(bounds, this, begun, shared.random());
    this.#outbox = new Outbox(socket, shared.spares, isLate);
    this.#sender = new Sender(this.#outbox, socket, bounds, (stream) => this.#streams.ended(stream));
    this.#deadlines = new DeadlineTimer(clock, (at) => this.#expire(at));
    this.#streams = new Streams({
      outbox: this.#outbox,
      now,
      resets: new Allowance(bounds.resetsMax, bounds.resetsPerSecond, begun),
      forget: (stream) => this.#sender.forget(stream),
      onClosed: () => this.#onStreamClosed(),
    });
    const [outbox, sender, streams, deadlines] = [this.#outbox, this.#sender, this.#streams, this.#deadlines];
    const outside = (step: () => void) => this.#outside(step);
    const calls = new Calls({ bounds, now, streams, outbox, sender, held, counts, onBroken, outside });
    const idleFrames = new Allowance(bounds.idleFramesMax, bounds.idleFramesPerSecond, begun);
    const fields = new Allowance(bounds.fieldsMax, bounds.fieldsPerSecond, begun);
    const control = new Control({
      ...{ outbox, sender, streams, now, idleFrames },
      lastStream: () => this.#dispatch.lastStream,
      onPingAnswered: (payload) => {
        if (this.#isAnnounced && payload.equals(endingPing)) this.retire();
      },
    });
    const onShookHands = () => this.#lifetime.shookHands();
    this.#calls = calls;
    this.#dispatch = new Dispatch({
      ...{
        methods,
        bounds,
        counts,
        outbox,
        streams,
        calls,
        control,
        deadlines,
        idleFrames,
        fields,
        onShookHands,
      },
    });
    outbox.put(greeting(bounds));
    outbox.flush();
  }

  /** Whether a call was ever answered here. */
  get hasServed(): boolean {
    return this.#streams.hasEnded;
  }

  /** Whether nothing is taken any more, and it is the peer's turn to close. */
  get isOver(): boolean {
    return this.#hasEnded;
  }

  /** Since when nothing was read and no call is open; null while one is, and at the end. */
  get idleSince(): number | null {
    return this.#streams.size === 0 && !this.#hasEnded ? this.#lifetime.lastReadAt : null;
  }

  onBytes(chunk: Buffer): void {
    if (this.#hasEnded) return;
    const { clock, bounds } = this.#shared;
    const readAt = clock.now();
    this.#lifetime.read(readAt);
    this.#dispatch.readAt = readAt;
    this.#isReading = true;
    try {
      const at = this.#preface.read(chunk);
      if (at < chunk.length) this.#reader.read(chunk, at, this.#dispatch);
    } catch (error) {
      this.#fail(error);
    }
    this.#isReading = false;
    this.#flush();
    if (this.#streams.size > 0) this.#deadlines.set();
    if (this.#socket.writableLength > bounds.unreadBytesMax && !this.#hasEnded) {
      // Whoever does not read is not read from either.
      this.#socket.pause();
      this.#lifetime.stalled(readAt);
    }
  }

  /** The socket has room again. */
  onDrain(): void {
    if (this.#hasEnded) return;
    this.#lifetime.flows();
    this.#outside(() => this.#sender.pump());
    this.#socket.resume();
  }

  /** The socket is gone. */
  onClose(): void {
    this.#hasEnded = true;
    this.#streams.cancelAll();
    this.#deadlines.stop();
  }

  /** Announces the end: calls that begin from now on should begin elsewhere. */
  announce(why: CloseReason): void {
    if (this.#isAnnounced || this.#hasEnded) return;
    this.closing ??= why;
    this.#isAnnounced = true;
    this.#lifetime.announced(this.#shared.clock.now());
    // What is on its way is still taken: the answer to the PING comes after it (RFC 9113, section 6.8).
    this.#outbox.put(goaway(streamIdMax, errorCode.noError));
    this.#outbox.put(frame(frameType.ping, 0, 0, endingPing));
    this.#flushSoon();
  }

  /** Takes no more calls, and ends with the last one. */
  retire(why?: CloseReason): void {
    if (this.#hasEnded || this.#dispatch.lastStreamMax !== streamIdMax) return;
    this.closing ??= why ?? null;
    this.#lifetime.retired();
    this.#dispatch.lastStreamMax = this.#dispatch.lastStream;
    this.#outbox.put(goaway(this.#dispatch.lastStream, errorCode.noError));
    if (this.#streams.size === 0) this.#end();
    else this.#flushSoon();
  }

  ping(): void {
    this.#outbox.put(frame(frameType.ping, 0, 0, keepalivePing));
    this.#flushSoon();
  }

  destroy(why: CloseReason): void {
    this.closing ??= why;
    this.#socket.destroy();
  }

  /** Looks for what has lasted too long. */
  sweep(now: number): void {
    if (this.#streams.size > 0) this.#expire(now);
    this.#lifetime.sweep(now);
  }

  #expire(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    this.#outside(() => {
      next = this.#calls.expire(now);
    });
    return next;
  }

  #onStreamClosed(): void {
    if (this.#streams.size > 0) return;
    this.#deadlines.clear();
    if (this.#dispatch.lastStreamMax !== streamIdMax && !this.#hasEnded) this.#end();
  }

  /** Runs what may write, or break the connection, apart from `onBytes` or inside of it. */
  #outside(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#fail(error);
    }
    this.#flushSoon();
  }

  /** What is written by several answers of one turn leaves in one write. */
  #flushSoon(): void {
    if (this.#isReading || this.#isFlushDue) return;
    this.#isFlushDue = true;
    process.nextTick(() => {
      this.#isFlushDue = false;
      this.#flush();
      if (this.#streams.size > 0) this.#deadlines.set();
    });
  }

  #flush(): void {
    if (this.#socket.writable) this.#outbox.flush();
  }

  #fail(error: unknown): void {
    if (this.#hasEnded) return;
    const isPeers = error instanceof ConnectionError;
    if (!isPeers) this.#shared.onBroken(error);
    const code = isPeers ? error.code : errorCode.internal;
    this.closing ??= reasonOf(code);
    this.#outbox.put(goaway(this.#dispatch.lastStream, code, isPeers ? error.message : ''));
    this.#end();
    // Whoever floods is not read from while its connection ends.
    if (code === errorCode.enhanceYourCalm) this.#socket.pause();
  }

  /** Says no more; the peer has `lingerMs` to read what was said. */
  #end(): void {
    this.#hasEnded = true;
    this.#dispatch.isOver = true;
    this.#lifetime.ended(this.#shared.clock.now());
    this.#streams.cancelAll();
    this.#deadlines.stop();
    this.#flush();
    this.#socket.end();
  }
}
