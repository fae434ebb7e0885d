import type { Bounds } from '../bounds.ts';
import { ConnectionError, errorCode, flag, protocolError } from '../frame.ts';

export interface BlockSink {
  /** A whole header block, at `bytes[at, end)`. */
  onBlock(opening: Opening, bytes: Buffer, at: number, end: number): void;
}

/** What a HEADERS frame says beside its fields. */
export interface Opening {
  readonly stream: number;
  readonly isEnd: boolean;
  /** An error of the stream (RFC 7540, section 5.3.1), and all that is read of priorities. */
  readonly isSelfDependent: boolean;
}

interface OpenBlock extends Opening {
  readonly parts: Buffer[];
  bytes: number;
}

/** Puts header blocks together from HEADERS and CONTINUATION frames (RFC 9113, section 6.2 and 6.10). */
export class HeaderBlocks {
  readonly #bounds: Bounds;
  readonly #sink: BlockSink;
  #open: OpenBlock | null = null;

  constructor(bounds: Bounds, sink: BlockSink) {
    this.#bounds = bounds;
    this.#sink = sink;
  }

  /** Nothing but its next CONTINUATION may come while a block is open. */
  get isOpen(): boolean {
    return this.#open !== null;
  }

  headers(flags: number, stream: number, bytes: Buffer, start: number, until: number): void {
    let at = start;
    let end = until;
    let isSelfDependent = false;
    if (flags & flag.padded) end = unpad(bytes, at++, end);
    if (flags & flag.priority) {
      if (end - at < 5) throw new ConnectionError(errorCode.frameSize, 'HEADERS are too short');
      isSelfDependent = (bytes.readUInt32BE(at) & 0x7fff_ffff) === stream;
      at += 5;
    }
    const opening = { stream, isEnd: (flags & flag.endStream) !== 0, isSelfDependent };
    if (flags & flag.endHeaders) this.#sink.onBlock(opening, bytes, at, end);
    else this.#open = { ...opening, parts: [Buffer.from(bytes.subarray(at, end))], bytes: end - at };
  }

  continuation(flags: number, stream: number, bytes: Buffer, at: number, end: number): void {
    const open = this.#open;
    if (open === null || open.stream !== stream) throw protocolError('CONTINUATION of nothing');
    open.parts.push(Buffer.from(bytes.subarray(at, end)));
    open.bytes += end - at;
    const { headerBlockBytesMax, continuationsMax } = this.#bounds;
    if (open.bytes > headerBlockBytesMax || open.parts.length > continuationsMax + 1) {
      throw new ConnectionError(errorCode.enhanceYourCalm, 'a header block is too long');
    }
    if ((flags & flag.endHeaders) === 0) return;
    this.#open = null;
    const block = Buffer.concat(open.parts);
    this.#sink.onBlock(open, block, 0, block.length);
  }
}

/** The end of a padded frame's content; the octet at `at` says how much padding follows it. */
export function unpad(bytes: Buffer, at: number, end: number): number {
  if (at >= end) throw new ConnectionError(errorCode.frameSize, 'a padded frame is empty');
  const contentEnd = end - (bytes[at] as number);
  if (contentEnd <= at) throw protocolError('padding is longer than its frame');
  return contentEnd;
}
