import type { AccessRequest } from '../../check/request.ts';
import type { RequestTarget } from '../../check/request-target.ts';
import { lowerCase, type ReservedHeaders } from '../../check/reserved-headers.ts';
import { addressIn, addressOfHeader } from './address-bytes.ts';
import { isReservedAt, isTargetAt, markAt } from './bytes-in-place.ts';
import { CheckLayout, type Pairs } from './check-layout.ts';
import { contextOfMetadata } from './route-metadata.ts';

/** What Envoy asks, read from its bytes where the decision asks for it. */
export interface CheckRequest extends AccessRequest {
  /** Makes the request its own, which until then holds only as long as the bytes it was read from do. */
  keep(): void;
}

/**
 * Null when it is not about an HTTP request, as from a TCP listener. Throws when the bytes are no CheckRequest.
 */
export type ReadCheckRequest = (bytes: Uint8Array) => CheckRequest | null;

/**
 * Different `context_extensions` that are remembered: an Envoy has as many as it has routes that say something,
 * in as many orders as its maps have.
 */
const contextsMax = 1_000;
/** Octets of all that are remembered, and of one: what is read of them takes some times as much. */
const contextsBytesMax = 1_048_576;
const contextBytesMax = 16_384;

const noValues: readonly string[] = [];
const noContext: ReadonlyMap<string, string> = new Map();

/** What the requests of one reader share. */
interface Desk {
  readonly layout: CheckLayout;
  readonly addressHeader: string | null;
  /** Whose places they are. */
  laidOut: WireRequest | null;
  /** By their bytes. */
  readonly contexts: Map<string, ReadonlyMap<string, string>>;
  /** Of all of these. */
  contextsBytes: number;
}

/**
 * A reader for one Check after another: the places of a request's fields are kept in one layout, which is made
 * anew for a request that is asked after another one was read.
 */
export function createCheckReader(addressHeader: string | null = null): ReadCheckRequest {
  const given = { layout: new CheckLayout(), addressHeader };
  const desk: Desk = { ...given, laidOut: null, contexts: new Map(), contextsBytes: 0 };
  return (bytes) => {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    desk.laidOut = null;
    desk.layout.read(buffer);
    if (desk.layout.isHttp) desk.laidOut = new WireRequest(desk, buffer);
    return desk.laidOut;
  };
}

class WireRequest implements CheckRequest {
  readonly #desk: Desk;
  #bytes: Buffer;
  #address: string | null = null;
  #path: string | null = null;

  constructor(desk: Desk, bytes: Buffer) {
    this.#desk = desk;
    this.#bytes = bytes;
  }

  get method(): string {
    const { methodAt, methodEnd } = this.#layout();
    return this.#text(methodAt, methodEnd);
  }

  get host(): string {
    const { hostAt, hostEnd } = this.#layout();
    return this.#text(hostAt, hostEnd);
  }

  get path(): string {
    if (this.#path !== null) return this.#path;
    const { pathAt, pathEnd } = this.#layout();
    this.#path = this.#text(pathAt, pathEnd);
    return this.#path;
  }

  get address(): string {
    if (this.#address !== null) return this.#address;
    const { addressHeader: name } = this.#desk;
    const given = name === null ? noValues : this.header(name);
    const { addressAt, addressEnd } = this.#layout();
    this.#address = given.length > 0 ? addressOfHeader(given) : addressIn(this.#bytes, addressAt, addressEnd);
    return this.#address;
  }

  get isCleartext(): boolean {
    const { schemeAt, schemeEnd } = this.#layout();
    return schemeEnd - schemeAt === 4 && this.#text(schemeAt, schemeEnd).toLowerCase() === 'http';
  }

  get principal(): string {
    const { principalAt, principalEnd } = this.#layout();
    return this.#text(principalAt, principalEnd);
  }

  /** The same map for the same bytes, unless they are very many, so that what follows from them is found by it. */
  get context(): ReadonlyMap<string, string> {
    const { context, contextAt, contextEnd, metadata } = this.#layout();
    if (metadata.length > 0) return this.#contextWithMetadata();
    if (context.count === 0) return noContext;
    if (contextAt === -1 || contextEnd - contextAt > contextBytesMax) return this.#mapOf(context);
    const bytes = this.#bytes.toString('latin1', contextAt, contextEnd);
    const known = this.#desk.contexts.get(bytes);
    if (known !== undefined) return known;
    const read = this.#mapOf(context);
    this.#remember(bytes, read);
    return read;
  }

  header(name: string): readonly string[] {
    const { apart, joined } = this.#layout();
    const pairs = apart.count > 0 ? apart : joined;
    if (!pairs.mayHaveNameOf(name.length)) return noValues;
    let values: string[] | null = null;
    for (let pair = 0; pair < pairs.count; pair++) {
      if (!this.#isNamed(pairs, pair, name)) continue;
      if (values === null) values = [this.#valueOf(pairs, pair)];
      else if (pairs === joined) return this.#joinedValues(name);
      else values.push(this.#valueOf(pairs, pair));
    }
    return values ?? noValues;
  }

  reservedHeaders(reserved: ReservedHeaders): readonly string[] {
    const { apart, joined } = this.#layout();
    const pairs = apart.count > 0 ? apart : joined;
    let names: string[] | null = null;
    for (let pair = 0; pair < pairs.count; pair++) {
      if (!this.#isReserved(pairs, pair, reserved)) continue;
      const name = lowerCase(this.#nameOf(pairs, pair));
      if (names === null) names = [name];
      else if (!names.includes(name)) names.push(name);
    }
    return names ?? noValues;
  }

  isTo(target: RequestTarget): boolean {
    return isTargetAt(this.#bytes, this.#layout(), target);
  }

  mark(): number {
    return markAt(this.#bytes, this.#layout());
  }

  keep(): void {
    this.#bytes = Buffer.from(this.#bytes);
  }

  /** Of a route that has metadata; what stands in `context_extensions` goes before it. */
  #contextWithMetadata(): ReadonlyMap<string, string> {
    const { context, contextAt, contextEnd, metadata } = this.#layout();
    const pieces = Array.from({ length: metadata.length / 2 }, (_, piece) =>
      this.#bytes.subarray(metadata[piece * 2], metadata[piece * 2 + 1]),
    );
    const said = Buffer.concat(pieces);
    const read = () => new Map([...contextOfMetadata(said), ...this.#mapOf(context)]);
    const isLong = contextEnd - contextAt + said.length > contextBytesMax;
    if (isLong || (context.count > 0 && contextAt === -1)) return read();
    const own = context.count === 0 ? '' : this.#bytes.toString('latin1', contextAt, contextEnd);
    // No context begins so: the first byte of one is a tag.
    const bytes = `\0${said.length}:${said.toString('latin1')}${own}`;
    const known = this.#desk.contexts.get(bytes);
    if (known !== undefined) return known;
    const made = read();
    this.#remember(bytes, made);
    return made;
  }

  #remember(bytes: string, context: ReadonlyMap<string, string>): void {
    const desk = this.#desk;
    desk.contextsBytes += bytes.length;
    if (desk.contexts.size >= contextsMax || desk.contextsBytes > contextsBytesMax) {
      desk.contexts.clear();
      desk.contextsBytes = bytes.length;
    }
    desk.contexts.set(bytes, context);
  }

  /** Names that differ in their case alone; of a name that came twice, the last value, as in any map of protobuf. */
  #joinedValues(name: string): string[] {
    const values = new Map<string, string>();
    const { joined } = this.#layout();
    for (let pair = 0; pair < joined.count; pair++) {
      if (this.#isNamed(joined, pair, name))
        values.set(this.#nameOf(joined, pair), this.#valueOf(joined, pair));
    }
    return [...values.values()];
  }

  #mapOf(pairs: Pairs): ReadonlyMap<string, string> {
    const map = new Map<string, string>();
    for (let pair = 0; pair < pairs.count; pair++)
      map.set(this.#nameOf(pairs, pair), this.#valueOf(pairs, pair));
    return map;
  }

  #isNamed(pairs: Pairs, pair: number, name: string): boolean {
    const nameAt = pairs.nameAt(pair);
    if (pairs.nameEnd(pair) - nameAt !== name.length) return false;
    const bytes = this.#bytes;
    for (let at = 0; at < name.length; at++) {
      const byte = bytes[nameAt + at] as number;
      const isUpperCase = byte >= 0x41 && byte <= 0x5a;
      if ((isUpperCase ? byte | 0x20 : byte) !== name.charCodeAt(at)) return false;
    }
    return true;
  }

  #isReserved(pairs: Pairs, pair: number, reserved: ReservedHeaders): boolean {
    const nameAt = pairs.nameAt(pair);
    return isReservedAt(this.#bytes, nameAt, pairs.nameEnd(pair) - nameAt, reserved);
  }

  #nameOf(pairs: Pairs, pair: number): string {
    return this.#text(pairs.nameAt(pair), pairs.nameEnd(pair));
  }

  /** Bytes are read as Latin-1, so that nothing turns into a character it was not. */
  #valueOf(pairs: Pairs, pair: number): string {
    const from = pairs.valueAt(pair);
    const to = pairs.valueEnd(pair);
    return pairs.isRaw(pair) ? this.#bytes.toString('latin1', from, to) : this.#text(from, to);
  }

  #text(from: number, to: number): string {
    return from === to ? '' : this.#bytes.toString('utf8', from, to);
  }

  #layout(): CheckLayout {
    const desk = this.#desk;
    if (desk.laidOut !== this) {
      desk.layout.read(this.#bytes);
      desk.laidOut = this;
    }
    return desk.layout;
  }
}
