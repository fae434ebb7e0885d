import type { AccessRequest } from '../../check/request.ts';
import type { RequestTarget } from '../../check/request-target.ts';
import { lowerCase, type ReservedHeaders } from '../../check/reserved-headers.ts';
import { addressOfHeader, createAddressReader, type ReadAddress } from './address-bytes.ts';
import { isReservedAt, isTargetAt, markAt } from './bytes-in-place.ts';
import { CheckLayout, type Pairs } from './check-layout.ts';
import { textAt, textOfName, textOfValue } from './pair-texts.ts';
import { createRouteContexts, type ReadRouteContext } from './route-contexts.ts';

/** What Envoy asks, read from its bytes where the decision asks for it. */
export interface CheckRequest extends AccessRequest {
  /** Makes the request its own, which until then holds only as long as the bytes it was read from do. */
  keep(): void;
}

/**
 * Null when it is not about an HTTP request, as from a TCP listener. Throws when the bytes are no CheckRequest.
 */
export type ReadCheckRequest = (bytes: Uint8Array) => CheckRequest | null;

const noValues: readonly string[] = [];

/** What the requests of one reader share. */
interface Desk {
  readonly layout: CheckLayout;
  readonly addressHeader: string | null;
  readonly addressIn: ReadAddress;
  readonly contextOf: ReadRouteContext;
  /** Whose places they are. */
  laidOut: WireRequest | null;
}

/**
 * A reader for one Check after another: the places of a request's fields are kept in one layout, which is made
 * anew for a request that is asked after another one was read.
 */
export function createCheckReader(addressHeader: string | null = null): ReadCheckRequest {
  const desk: Desk = {
    ...{ layout: new CheckLayout(), addressHeader, laidOut: null },
    ...{ addressIn: createAddressReader(), contextOf: createRouteContexts() },
  };
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
    return textAt(this.#bytes, methodAt, methodEnd);
  }

  get host(): string {
    const { hostAt, hostEnd } = this.#layout();
    return textAt(this.#bytes, hostAt, hostEnd);
  }

  get path(): string {
    if (this.#path !== null) return this.#path;
    const { pathAt, pathEnd } = this.#layout();
    this.#path = textAt(this.#bytes, pathAt, pathEnd);
    return this.#path;
  }

  get address(): string {
    if (this.#address !== null) return this.#address;
    const { addressHeader: name, addressIn } = this.#desk;
    const given = name === null ? noValues : this.header(name);
    const { addressAt, addressEnd } = this.#layout();
    this.#address = given.length > 0 ? addressOfHeader(given) : addressIn(this.#bytes, addressAt, addressEnd);
    return this.#address;
  }

  get isCleartext(): boolean {
    const { schemeAt, schemeEnd } = this.#layout();
    return schemeEnd - schemeAt === 4 && textAt(this.#bytes, schemeAt, schemeEnd).toLowerCase() === 'http';
  }

  get principal(): string {
    const { principalAt, principalEnd } = this.#layout();
    return textAt(this.#bytes, principalAt, principalEnd);
  }

  get context(): ReadonlyMap<string, string> {
    return this.#desk.contextOf(this.#bytes, this.#layout());
  }

  header(name: string): readonly string[] {
    const { apart, joined } = this.#layout();
    const pairs = apart.count > 0 ? apart : joined;
    if (!pairs.mayHaveNameOf(name.length)) return noValues;
    let values: string[] | null = null;
    for (let pair = 0; pair < pairs.count; pair++) {
      if (!this.#isNamed(pairs, pair, name)) continue;
      if (values === null) values = [textOfValue(this.#bytes, pairs, pair)];
      else if (pairs === joined) return this.#joinedValues(name);
      else values.push(textOfValue(this.#bytes, pairs, pair));
    }
    return values ?? noValues;
  }

  reservedHeaders(reserved: ReservedHeaders): readonly string[] {
    const { apart, joined } = this.#layout();
    const pairs = apart.count > 0 ? apart : joined;
    let names: string[] | null = null;
    for (let pair = 0; pair < pairs.count; pair++) {
      if (!this.#isReserved(pairs, pair, reserved)) continue;
      const name = lowerCase(textOfName(this.#bytes, pairs, pair));
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

  /** Names that differ in their case alone; of a name that came twice, the last value, as in any map of protobuf. */
  #joinedValues(name: string): string[] {
    const values = new Map<string, string>();
    const { joined } = this.#layout();
    for (let pair = 0; pair < joined.count; pair++) {
      if (this.#isNamed(joined, pair, name))
        values.set(textOfName(this.#bytes, joined, pair), textOfValue(this.#bytes, joined, pair));
    }
    return [...values.values()];
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

  #layout(): CheckLayout {
    const desk = this.#desk;
    if (desk.laidOut !== this) {
      desk.layout.read(this.#bytes);
      desk.laidOut = this;
    }
    return desk.layout;
  }
}
