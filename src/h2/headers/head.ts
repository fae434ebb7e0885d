import { RpcError, type RpcMethod, type RpcMethods, rpcStatus } from '../../net/rpc.ts';
import type { TraceHeaders } from '../../tracing/tracing-context.ts';
import { ConnectionError, errorCode } from '../frame.ts';
import { type Field, fieldKind } from './field.ts';
import { type FieldSink, HpackDecoder } from './hpack.ts';

/** What a request's headers come to. */
export interface Head extends TraceHeaders {
  /** Null where there is nothing to call, and one of the three below says why. */
  readonly method: RpcMethod | null;
  readonly path: string;
  /** Infinity for none. */
  readonly timeoutMs: number;
  /** The encoding of compressed messages; empty for none. */
  readonly encoding: string;
  /** -1 for none. */
  readonly contentLength: number;
  /** The stream is reset with this code, unless it is 0. */
  readonly resetWith: number;
  /** The answer is this HTTP status and no gRPC, unless it is 0. */
  readonly httpStatus: number;
  /** HEAD is answered without a body. */
  readonly isBodyWanted: boolean;
  /** The call ends with this before it begins. */
  readonly error: RpcError | null;
}

/** A block of this length or less is remembered, in case the next one is the same. */
const rememberedBytesMax = 512;
/** A list so many times as long as it may be is none that somebody meant: its index octets stand for thousands each. */
const listExcessMax = 4;
/** How much of what a caller sent is told back to it. */
const quotedMax = 200;

/**
 * Reads the header blocks of one connection. Envoy sends the same block with each Check, since its encoder knows
 * all of it from the first: such a block costs one comparison.
 */
export class HeadReader implements FieldSink {
  readonly #decoder = new HpackDecoder();
  readonly #methods: RpcMethods;
  readonly #listBytesMax: number;
  readonly #remembered = Buffer.allocUnsafeSlow(rememberedBytesMax);
  #rememberedBytes = -1;
  #rememberedAt = 0;
  #head: Head | null = null;
  /** Fields that were decoded for the block that was read last; 0 where it was known. */
  fields = 0;

  #isTrailer = false;
  #isMalformed = false;
  #sawRegular = false;
  #bytes = 0;
  /** By field kind, as far as `tracestate`. */
  readonly #values: (string | null)[] = Array.from({ length: fieldKind.malformed }, () => null);

  constructor(methods: RpcMethods, listBytesMax: number) {
    this.#methods = methods;
    this.#listBytesMax = listBytesMax;
  }

  /** The head of a request. Throws a ConnectionError where the block cannot be read. */
  read(bytes: Buffer, at: number, end: number): Head {
    this.fields = 0;
    if (this.#head !== null && this.#isRemembered(bytes, at, end)) return this.#head;
    const { changes } = this.#decoder;
    this.#decode(bytes, at, end, false);
    const head = this.#judge();
    // A block that changes the table means something else the next time.
    if (changes === this.#decoder.changes && end - at <= rememberedBytesMax) {
      this.#rememberedBytes = bytes.copy(this.#remembered, 0, at, end);
      this.#rememberedAt = changes;
      this.#head = head;
    }
    return head;
  }

  /** Whether trailers are as they should be; gRPC reads nothing in a request's. */
  readTrailers(bytes: Buffer, at: number, end: number): boolean {
    this.#decode(bytes, at, end, true);
    return !this.#isMalformed && this.#bytes <= this.#listBytesMax;
  }

  onField(field: Field): void {
    const { kind } = field;
    this.#bytes += field.bytes;
    this.fields += 1;
    if (this.#bytes > listExcessMax * this.#listBytesMax) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'a header list is far too long');
    }
    if (kind === fieldKind.other) {
      this.#sawRegular = true;
    } else if (kind === fieldKind.malformed) {
      this.#isMalformed = true;
    } else if (kind > fieldKind.authority) {
      this.#sawRegular = true;
      // Once is all that is right for most of these; only for the length a second one could be taken for an attack.
      const known = this.#values[kind] ?? null;
      if (known === null) this.#values[kind] = field.value;
      else if (kind === fieldKind.contentLength) this.#isMalformed = true;
      // Of a trace's state there may be many; a second trace makes none of both.
      else if (kind >= fieldKind.traceparent) this.#values[kind] = `${known},${field.value}`;
    } else if (this.#sawRegular || this.#isTrailer || this.#values[kind] !== null) {
      this.#isMalformed = true;
    } else {
      this.#values[kind] = field.value;
    }
  }

  #isRemembered(bytes: Buffer, at: number, end: number): boolean {
    if (end - at !== this.#rememberedBytes || this.#rememberedAt !== this.#decoder.changes) return false;
    const remembered = this.#remembered;
    for (let index = at; index < end; index++) {
      if (bytes[index] !== remembered[index - at]) return false;
    }
    return true;
  }

  #decode(bytes: Buffer, at: number, end: number, isTrailer: boolean): void {
    this.#isTrailer = isTrailer;
    this.#isMalformed = false;
    this.#sawRegular = false;
    this.#bytes = 0;
    this.fields = 0;
    this.#values.fill(null);
    this.#decoder.decode(bytes, at, end, this);
  }

  #judge(): Head {
    const values = this.#values;
    const path = values[fieldKind.path] ?? '';
    const verb = values[fieldKind.method];
    const isPath = path.startsWith('/') || (path === '*' && verb === 'OPTIONS');
    const isWhole = verb === 'CONNECT' || (isPath && values[fieldKind.scheme] !== null);
    const length = values[fieldKind.contentLength] ?? null;
    const isLength = length === null || /^[0-9]{1,15}$/.test(length);
    const contentLength = length === null ? -1 : Number(length);
    if (this.#isMalformed || verb === null || !isWhole || !isLength) {
      return refused(path, { resetWith: errorCode.protocol });
    }
    if (this.#bytes > this.#listBytesMax) return refused(path, { resetWith: errorCode.enhanceYourCalm });
    if (verb !== 'POST')
      return refused(path, { httpStatus: 405, isBodyWanted: verb !== 'HEAD', contentLength });
    const type = values[fieldKind.contentType] ?? '';
    if (!/^application\/grpc(?:$|[+;])/.test(type)) return refused(path, { httpStatus: 415, contentLength });
    const method = this.#methods.get(path);
    if (method === undefined) {
      const message = `The server does not implement the method ${path.slice(0, quotedMax)}`;
      return refused(path, { error: new RpcError(rpcStatus.unimplemented, message) });
    }
    const timeout = values[fieldKind.timeout] ?? null;
    const timeoutMs = timeout === null ? Number.POSITIVE_INFINITY : parseTimeout(timeout);
    if (timeoutMs === null) {
      const message = `Invalid grpc-timeout value "${timeout?.slice(0, quotedMax)}"`;
      return refused(path, { error: new RpcError(rpcStatus.internal, message) });
    }
    const encoding = values[fieldKind.encoding] ?? '';
    const traceparent = values[fieldKind.traceparent] ?? '';
    const tracestate = values[fieldKind.tracestate] ?? '';
    return { ...refused(path, {}), method, timeoutMs, encoding, contentLength, traceparent, tracestate };
  }
}

function refused(path: string, why: Partial<Head>): Head {
  return {
    ...{ method: null, path, timeoutMs: Number.POSITIVE_INFINITY, encoding: '', contentLength: -1 },
    ...{ resetWith: 0, httpStatus: 0, isBodyWanted: true, error: null, traceparent: '', tracestate: '' },
    ...why,
  };
}

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** `grpc-timeout`: up to eight digits and a unit. Null for anything else. */
function parseTimeout(text: string): number | null {
  const [, digits, unit] = /^([0-9]{1,8})([HMSmun])$/.exec(text) ?? [];
  return digits === undefined || unit === undefined ? null : Number(digits) * (unitMs[unit] ?? 0);
}
