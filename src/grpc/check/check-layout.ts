import { WireFields } from './wire-fields.ts';

/** The tags of strings, bytes and messages, by the numbers of their fields. */
const [field1, field2, field3] = [10, 18, 26];
const [field4, field5, field6, field10, field13] = [34, 42, 50, 82, 106];

/** Pairs of a name and a value, by where they stand in the bytes. */
export class Pairs {
  count = 0;
  /** A bit for each length that a name has, of 32: most names that are asked for are not there. */
  #lengths = 0;
  #places = new Int32Array(64 * 5);

  clear(): void {
    this.count = 0;
    this.#lengths = 0;
  }

  /** False where no name has so many bytes. */
  mayHaveNameOf(length: number): boolean {
    return (this.#lengths & (1 << (length & 31))) !== 0;
  }

  add(nameAt: number, nameEnd: number, valueAt: number, valueEnd: number, isRaw: boolean): void {
    const at = this.count * 5;
    if (at === this.#places.length) {
      const grown = new Int32Array(at * 2);
      grown.set(this.#places);
      this.#places = grown;
    }
    this.#places[at] = nameAt;
    this.#places[at + 1] = nameEnd;
    this.#places[at + 2] = valueAt;
    this.#places[at + 3] = valueEnd;
    this.#places[at + 4] = isRaw ? 1 : 0;
    this.#lengths |= 1 << ((nameEnd - nameAt) & 31);
    this.count++;
  }

  nameAt(pair: number): number {
    return this.#places[pair * 5] as number;
  }

  nameEnd(pair: number): number {
    return this.#places[pair * 5 + 1] as number;
  }

  valueAt(pair: number): number {
    return this.#places[pair * 5 + 2] as number;
  }

  valueEnd(pair: number): number {
    return this.#places[pair * 5 + 3] as number;
  }

  /** Whether the value is of the type bytes, and not text. */
  isRaw(pair: number): boolean {
    return this.#places[pair * 5 + 4] === 1;
  }
}

/**
 * Where in a CheckRequest stands what a decision may ask for; one is used over and over. What no decision asks
 * for is stepped over by its length and not looked into. Submessages that come in several pieces are merged
 * and of scalars the last one counts, as https://protobuf.dev/programming-guides/encoding/#last-one-wins has it.
 */
export class CheckLayout {
  /** Whether it is about an HTTP request. */
  isHttp = false;
  methodAt = 0;
  methodEnd = 0;
  pathAt = 0;
  pathEnd = 0;
  hostAt = 0;
  hostEnd = 0;
  schemeAt = 0;
  schemeEnd = 0;
  principalAt = 0;
  principalEnd = 0;
  /** Empty where the peer has no socket address. */
  addressAt = 0;
  addressEnd = 0;
  readonly context = new Pairs();
  /** Where the entries of `context_extensions` begin and end when they stand side by side; else both are -1. */
  contextAt = 0;
  contextEnd = 0;
  /** Where the pieces of `route_metadata_context` begin and end, one after the other; empty ones left out. */
  readonly metadata: number[] = [];
  /** The map of headers, in which repeated ones are joined. */
  readonly joined = new Pairs();
  /** `header_map`, in which each stands apart. */
  readonly apart = new Pairs();
  readonly #fields = new WireFields(new Uint8Array());

  /** Throws when the bytes are no CheckRequest. */
  read(bytes: Uint8Array): void {
    this.isHttp = false;
    this.methodAt = this.methodEnd = this.pathAt = this.pathEnd = this.hostAt = this.hostEnd = 0;
    this.schemeAt = this.schemeEnd = this.principalAt = this.principalEnd = 0;
    this.addressAt = this.addressEnd = this.contextAt = this.contextEnd = 0;
    this.context.clear();
    this.metadata.length = 0;
    this.joined.clear();
    this.apart.clear();
    const fields = this.#fields;
    fields.begin(bytes);
    while (fields.at < bytes.length) {
      if (fields.next(bytes.length) === field1) this.#attributes(this.#enter());
    }
  }

  /** Goes back to the beginning of the field that was just stepped over; returns its end. */
  #enter(): number {
    const fields = this.#fields;
    fields.at = fields.from;
    return fields.to;
  }

  #attributes(end: number): void {
    const fields = this.#fields;
    while (fields.at < end) {
      const began = fields.at;
      const tag = fields.next(end);
      if (tag === field1) this.#peer(this.#enter());
      else if (tag === field4) this.#request(this.#enter());
      else if (tag === field10) this.#contextEntry(began, this.#enter());
      else if (tag === field13 && fields.to > fields.from) this.metadata.push(fields.from, fields.to);
    }
  }

  #peer(end: number): void {
    const fields = this.#fields;
    while (fields.at < end) {
      const tag = fields.next(end);
      if (tag === field4) {
        this.principalAt = fields.from;
        this.principalEnd = fields.to;
      }
      if (tag !== field1) continue;
      const addressEnd = this.#enter();
      while (fields.at < addressEnd) this.#address(fields.next(addressEnd));
    }
  }

  /** One of a oneof: the last of another kind takes the place of what was there. */
  #address(tag: number): void {
    const isSocket = tag === field1;
    if (!isSocket && tag !== field2 && tag !== field3) return;
    if (!isSocket) this.addressAt = this.addressEnd = 0;
    const fields = this.#fields;
    const end = this.#enter();
    while (fields.at < end) {
      if (fields.next(end) !== field2 || !isSocket) continue;
      this.addressAt = fields.from;
      this.addressEnd = fields.to;
    }
  }

  #request(end: number): void {
    const fields = this.#fields;
    while (fields.at < end) {
      if (fields.next(end) === field2) this.#http(this.#enter());
    }
  }

  #http(end: number): void {
    this.isHttp = true;
    const fields = this.#fields;
    while (fields.at < end) {
      switch (fields.next(end)) {
        case field2:
          this.methodAt = fields.from;
          this.methodEnd = fields.to;
          break;
        case field3:
          this.#pair(this.joined, this.#enter());
          break;
        case field4:
          this.pathAt = fields.from;
          this.pathEnd = fields.to;
          break;
        case field5:
          this.hostAt = fields.from;
          this.hostEnd = fields.to;
          break;
        case field6:
          this.schemeAt = fields.from;
          this.schemeEnd = fields.to;
          break;
        case field13: {
          const mapEnd = this.#enter();
          while (fields.at < mapEnd) {
            if (fields.next(mapEnd) === field1) this.#pair(this.apart, this.#enter());
          }
        }
      }
    }
  }

  #contextEntry(began: number, end: number): void {
    if (this.context.count === 0) this.contextAt = began;
    else if (this.contextEnd !== began) this.contextAt = -1;
    this.#pair(this.context, end);
    this.contextEnd = this.contextAt === -1 ? -1 : end;
  }

  /** A map's entry or a HeaderValue, whose bytes in `raw_value` come before the text in `value`. */
  #pair(pairs: Pairs, end: number): void {
    const fields = this.#fields;
    const isApart = pairs === this.apart;
    if (fields.isShortPair(end, isApart ? field3 : field2)) {
      pairs.add(fields.nameAt, fields.nameEnd, fields.nameEnd + 2, end, isApart);
      fields.at = end;
      return;
    }
    let nameAt = 0;
    let nameEnd = 0;
    let valueAt = 0;
    let valueEnd = 0;
    let rawAt = 0;
    let rawEnd = 0;
    while (fields.at < end) {
      const tag = fields.next(end);
      if (tag === field1) {
        nameAt = fields.from;
        nameEnd = fields.to;
      } else if (tag === field2) {
        valueAt = fields.from;
        valueEnd = fields.to;
      } else if (tag === field3 && isApart) {
        rawAt = fields.from;
        rawEnd = fields.to;
      }
    }
    const isRaw = rawEnd > rawAt;
    pairs.add(nameAt, nameEnd, isRaw ? rawAt : valueAt, isRaw ? rawEnd : valueEnd, isRaw);
  }
}
