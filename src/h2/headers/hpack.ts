import { ConnectionError, errorCode } from '../frame.ts';
import { createField, type Field, staticTable } from './field.ts';
import { decodeHuffman, expansionMax } from './huffman.ts';

/** The dynamic table's bound: HTTP/2's default, which this server does not change. */
export const tableBytesMax = 4_096;

export interface FieldSink {
  /** One field of the block, in order. */
  onField(field: Field): void;
}

/** A whole number that needs more octets than this after the first is none that a sane encoder writes. */
const continuationOctetsMax = 4;

/** One for all connections: each would keep as much as the longest text that it ever was sent, a thousand of them 100 MiB. */
let scratch = Buffer.allocUnsafeSlow(1_024);

/**
 * Reads the header blocks of one connection (RFC 7541), each once and in order. Throws a ConnectionError at what
 * cannot be read; the connection has to end then, since the table is not known any more.
 */
export class HpackDecoder {
  /** Newest last. */
  readonly #entries: Field[] = [];
  #tableBytes = 0;
  #tableMax = tableBytesMax;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  /** Moves on with each change of the table: with the same table the same bytes mean the same fields. */
  changes = 0;

  decode(bytes: Buffer, at: number, end: number, sink: FieldSink): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    let isStart = true;
    while (this.#at < end) {
      const first = bytes[this.#at] as number;
      if (first >= 0x80) {
        sink.onField(this.#entry(this.#integer(0x7f)));
      } else if (first >= 0x40) {
        const field = this.#literal(0x3f);
        this.#add(field);
        sink.onField(field);
      } else if (first < 0x20) {
        sink.onField(this.#literal(0x0f));
      } else {
        if (!isStart) throw unreadable('a table size update inside a header block');
        this.#resize(this.#integer(0x1f));
        continue;
      }
      isStart = false;
    }
  }

  #entry(index: number): Field {
    const field =
      index <= staticTable.length
        ? staticTable[index - 1]
        : this.#entries[this.#entries.length + staticTable.length - index];
    if (field === undefined) throw unreadable('an index that no table has');
    return field;
  }

  #literal(mask: number): Field {
    const index = this.#integer(mask);
    const name = index === 0 ? this.#text() : this.#entry(index).name;
    return createField(name, this.#text());
  }

  #add(field: Field): void {
    this.changes += 1;
    this.#tableBytes += field.bytes;
    this.#entries.push(field);
    this.#evict();
  }

  #resize(bytes: number): void {
    if (bytes > tableBytesMax) throw unreadable('a table larger than allowed');
    this.changes += 1;
    this.#tableMax = bytes;
    this.#evict();
  }

  #evict(): void {
    let evicted = 0;
    while (this.#tableBytes > this.#tableMax) {
      this.#tableBytes -= (this.#entries[evicted] as Field).bytes;
      evicted += 1;
    }
    if (evicted > 0) this.#entries.splice(0, evicted);
  }

  /** RFC 7541, section 5.1; the prefix is the octet's lowest bits, `mask`. */
  #integer(mask: number): number {
    if (this.#at >= this.#end) throw unreadable('a header block that is cut short');
    let value = (this.#bytes[this.#at++] as number) & mask;
    if (value < mask) return value;
    for (let octets = 0; octets < continuationOctetsMax; octets++) {
      if (this.#at >= this.#end) throw unreadable('a header block that is cut short');
      const octet = this.#bytes[this.#at++] as number;
      value += (octet & 0x7f) << (7 * octets);
      if (octet < 0x80) return value;
    }
    throw unreadable('a number that is too long');
  }

  #text(): string {
    const isHuffman = this.#at < this.#end && (this.#bytes[this.#at] as number) >= 0x80;
    const length = this.#integer(0x7f);
    const at = this.#at;
    const end = at + length;
    if (end > this.#end) throw unreadable('a header block that is cut short');
    this.#at = end;
    if (!isHuffman) return this.#bytes.toString('latin1', at, end);
    if (scratch.length < length * expansionMax) {
      scratch = Buffer.allocUnsafeSlow(Math.ceil(length * expansionMax));
    }
    const written = decodeHuffman(this.#bytes, at, end, scratch);
    if (written < 0) throw unreadable('a text that is not a Huffman code');
    return scratch.toString('latin1', 0, written);
  }
}

function unreadable(what: string): ConnectionError {
  return new ConnectionError(errorCode.compression, what);
}
