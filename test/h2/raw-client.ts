import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { flag, frame, frameType, preface } from '../../src/h2/frame.ts';
import { FrameReader } from '../../src/h2/frame-reader.ts';
import { HpackDecoder } from '../../src/h2/headers/hpack.ts';
import type { Listen } from '../../src/net/listen.ts';

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** What came of a stream: all of its headers and trailers, its data, and the code of its reset. */
export interface Outcome {
  readonly headers: Readonly<Record<string, string>>;
  readonly data: Buffer;
  readonly isEnded: boolean;
  readonly reset: number | undefined;
}

export type Fields = readonly (readonly [name: string, value: string])[];

export const checkPath = '/test.Echo/Echo';

/** Speaks frames, right and wrong ones, to a listener. */
export class RawClient {
  readonly frames: RawFrame[] = [];
  readonly #socket: Socket;
  readonly #decoder = new HpackDecoder();
  readonly #outcomes = new Map<number, Outcome>();
  #waiting: (() => void)[] = [];
  #isClosed = false;

  private constructor(socket: Socket) {
    const reader = new FrameReader();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      reader.read(chunk, 0, {
        onFrame: (type, flags, stream, bytes, at, end) =>
          this.#onFrame({ type, flags, stream, payload: bytes.subarray(at, end) }),
      });
      this.#tell();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isClosed = true;
      this.#tell();
    });
  }

  /** Connects and, unless it is told not to, sends the preface and empty SETTINGS. */
  static async connect(listen: Listen, isGreeting = true, connected?: Socket): Promise<RawClient> {
    const socket = connected ?? connect(listen.kind === 'unix' ? { path: listen.path } : { ...listen });
    if (connected === undefined) await once(socket, 'connect');
    socket.setNoDelay?.(true);
    const client = new RawClient(socket);
    if (isGreeting) client.send(preface, frame(frameType.settings, 0, 0, Buffer.alloc(0)));
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(...frames: Uint8Array[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  /** Stops and goes on reading. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Resolves when `isSo`; rejects when the connection closes before. */
  async until<T>(isSo: () => T | undefined | false): Promise<T> {
    for (;;) {
      const value = isSo();
      if (value !== undefined && value !== false) return value;
      if (this.#isClosed) throw new Error(`closed; received ${describe(this.frames)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The first frame of this type, once it is there. */
  frame(type: number, isIt: (frame: RawFrame) => boolean = () => true): Promise<RawFrame> {
    return this.until(() => this.frames.find((one) => one.type === type && isIt(one)));
  }

  /** What came of a stream, once it is over. */
  outcome(stream: number): Promise<Outcome> {
    return this.until(() => {
      const outcome = this.#outcomes.get(stream);
      return outcome && (outcome.isEnded || outcome.reset !== undefined) ? outcome : undefined;
    });
  }

  /** What is known of a stream so far. */
  sofar(stream: number): Outcome {
    return this.#outcomes.get(stream) ?? nothing;
  }

  /** How the connection ended: the error of its last GOAWAY, undefined where none was sent. */
  async ended(): Promise<number | undefined> {
    while (!this.#isClosed) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.frames.findLast(({ type }) => type === frameType.goaway)?.payload.readUInt32BE(4);
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #onFrame(received: RawFrame): void {
    const { type, flags, stream, payload } = received;
    this.frames.push(received);
    const outcome = this.sofar(stream);
    if (type === frameType.headers) {
      const headers: Record<string, string> = { ...outcome.headers };
      this.#decoder.decode(payload, 0, payload.length, {
        onField: ({ name, value }) => {
          headers[name] = value;
        },
      });
      this.#outcomes.set(stream, { ...outcome, headers, isEnded: (flags & flag.endStream) !== 0 });
    } else if (type === frameType.data) {
      const data = Buffer.concat([outcome.data, payload]);
      this.#outcomes.set(stream, { ...outcome, data, isEnded: (flags & flag.endStream) !== 0 });
    } else if (type === frameType.rstStream) {
      this.#outcomes.set(stream, { ...outcome, reset: payload.readUInt32BE() });
    }
  }
}

const nothing: Outcome = { headers: {}, data: Buffer.alloc(0), isEnded: false, reset: undefined };

function describe(frames: readonly RawFrame[]): string {
  return frames
    .map(({ type, stream, payload }) => `${type}/${stream}:${payload.toString('hex', 0, 20)}`)
    .join(' ')
    .slice(-1_000);
}

/** A header block of literal fields that are not indexed; what they hold is not looked at. */
export function block(fields: Fields): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, 'latin1');
    return Buffer.concat([length(bytes.length), bytes]);
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function length(value: number): Buffer {
  if (value < 0x7f) return Buffer.of(value);
  const octets = [0x7f];
  let rest = value - 0x7f;
  for (; rest >= 0x80; rest >>>= 7) octets.push((rest & 0x7f) | 0x80);
  return Buffer.from([...octets, rest]);
}

/** The fields of a right call. */
export function callFields(path = checkPath, more: Fields = []): Fields {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ];
}

export function headers(
  stream: number,
  fields: Fields = callFields(),
  flags: number = flag.endHeaders,
): Buffer {
  return frame(frameType.headers, flags, stream, block(fields));
}

export function data(stream: number, payload: Uint8Array, flags: number = flag.endStream): Buffer {
  return frame(frameType.data, flags, stream, payload);
}

/** A gRPC message with its prefix. */
export function message(content: string | Uint8Array, flags = 0): Buffer {
  const bytes = Buffer.from(content);
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** The whole of a right call. */
export function call(stream: number, content: string, path = checkPath): Buffer {
  return Buffer.concat([headers(stream, callFields(path)), data(stream, message(content))]);
}

/** Settings as the payload of a SETTINGS frame. */
export function settings(...given: readonly (readonly [name: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * given.length);
  for (const [index, [name, value]] of given.entries()) {
    payload.writeUInt16BE(name, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frame(frameType.settings, 0, 0, payload);
}
