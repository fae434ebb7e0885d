/** Bytes of a writer at first; most answers are shorter. */
const firstBytes = 4_096;

/**
 * Writes protobuf messages from their end to their beginning: what a message holds is written before its length,
 * so that nothing has to be measured first or moved afterwards. Of the fields of a message the last is written
 * first. One writer is used over and over. Tags are those of fields up to 15.
 */
export class BackwardWriter {
  #bytes = Buffer.allocUnsafeSlow(firstBytes);
  #size = firstBytes;
  /** What is written stands from here to the end. */
  #at = firstBytes;

  /** Bytes that are written. */
  get length(): number {
    return this.#size - this.#at;
  }

  /** A copy of what is written, which is forgotten. */
  take(): Buffer {
    return Buffer.from(this.lend());
  }

  /** The same in place, until something else is written. */
  lend(): Buffer {
    const lent = this.#bytes.subarray(this.#at);
    this.#at = this.#size;
    return lent;
  }

  /** Forgets what is written. */
  clear(): void {
    this.#at = this.#size;
  }

  /** What is already encoded, tags and all. */
  encoded(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#at -= bytes.length;
    this.#bytes.set(bytes, this.#at);
  }

  /**
   * Puts a text in place of bytes that are written, so many after the first of all; false where it is not ASCII, and
   * then what stands there is part of either.
   */
  overwrite(from: number, text: string): boolean {
    const bytes = this.#bytes;
    const start = this.#at + from;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 0x7f) return false;
      bytes[start + at] = code;
    }
    return true;
  }

  /** Forgets so many of the bytes that were written last. */
  unwrite(count: number): void {
    this.#at += count;
  }

  /** A field that holds what was written since `length` was `since`. */
  message(tag: number, since: number): void {
    const length = this.length - since;
    this.#reserve(6);
    this.#lengthAndTag(length, tag);
  }

  text(tag: number, text: string): void {
    const { length } = text;
    this.#reserve(length + 6);
    const bytes = this.#bytes;
    const from = this.#at - length;
    for (let at = 0; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code > 0x7f) {
        this.#unicode(tag, text);
        return;
      }
      bytes[from + at] = code;
    }
    this.#at = from;
    this.#lengthAndTag(length, tag);
  }

  /** A number of the type uint32, enum or bool. */
  number(tag: number, value: number): void {
    this.#reserve(6);
    this.#varint(value);
    this.#byte(tag);
  }

  /** A number of the type double. */
  double(tag: number, value: number): void {
    this.#reserve(9);
    this.#at -= 8;
    this.#bytes.writeDoubleLE(value, this.#at);
    this.#byte(tag);
  }

  #unicode(tag: number, text: string): void {
    const length = Buffer.byteLength(text);
    this.#reserve(length + 6);
    this.#at -= length;
    this.#bytes.write(text, this.#at);
    this.#lengthAndTag(length, tag);
  }

  #lengthAndTag(length: number, tag: number): void {
    if (length >= 0x80) {
      this.#varint(length);
      this.#byte(tag);
      return;
    }
    const at = this.#at - 2;
    this.#bytes[at] = tag;
    this.#bytes[at + 1] = length;
    this.#at = at;
  }

  #varint(value: number): void {
    let size = 1;
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
    this.#at -= size;
    let rest = value;
    for (let at = this.#at; at < this.#at + size - 1; at++) {
      this.#bytes[at] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at + size - 1] = rest;
  }

  #byte(byte: number): void {
    this.#at--;
    this.#bytes[this.#at] = byte;
  }

  #reserve(count: number): void {
    if (this.#at < count) this.#grow(count);
  }

  #grow(count: number): void {
    const { length } = this;
    const size = 2 * this.#size + count;
    const grown = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(grown, size - length, this.#at);
    this.#bytes = grown;
    this.#size = size;
    this.#at = size - length;
  }
}
