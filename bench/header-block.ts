/** The header blocks of a gRPC call, as Envoy's encoder writes them. */
export interface CallHeaders {
  /** Fills the server's dynamic table; right for the first call of a connection alone. */
  readonly first: Buffer;
  /** Refers to that table: a dozen bytes beside the path. */
  readonly later: Buffer;
}

const staticEntries = 61;

/**
 * Envoy's encoder leaves pseudo-headers but `:authority` out of the dynamic table (quiche's
 * HpackEncoder::DefaultPolicy) and indexes the rest, so from the second call on those are a byte each.
 */
export function callHeaders(path: string): CallHeaders {
  const indexed: [name: string | number, value: string][] = [
    [1, 'ext_authz'],
    ['te', 'trailers'],
    // Envoy Gateway's default: 200 ms, Envoy's own, would turn a stall on a busy machine into a failure.
    ['grpc-timeout', '10S'],
    [31, 'application/grpc'],
    ['x-envoy-internal', 'true'],
    ['x-forwarded-for', '10.0.12.7'],
  ];
  const pseudo = Buffer.concat([Buffer.of(0x83, 0x86, 0x04), literal(path)]);
  const added = indexed.map(([name, value]) => Buffer.concat([entryName(name), literal(value)]));
  // The entry that was added last has the lowest index.
  const known = indexed.map((_, at) => 0x80 | (staticEntries + indexed.length - at));
  return { first: Buffer.concat([pseudo, ...added]), later: Buffer.concat([pseudo, Buffer.from(known)]) };
}

/** Finds `grpc-status` in one connection's responses; every block has to pass through it, in order. */
export interface StatusReader {
  /** The gRPC status in the block; undefined without one, NaN where it is not a number this can read. */
  read(block: Buffer): number | undefined;
}

const entriesMax = 4096 / 32;
const names = [Buffer.from('grpc-status'), Buffer.from('9acac8b21234da8f', 'hex')];

/**
 * Reads HPACK (RFC 7541) only so far as to know which entries are a grpc-status: names and values are
 * compared as they stand on the wire, plain or in Huffman code. Sizes, and with them eviction, are not
 * followed: an encoder does not refer to what it has evicted, and indices count from the newest.
 */
export function createStatusReader(): StatusReader {
  /** Newest last: the status an entry holds, undefined for any other header. */
  const entries: (number | undefined)[] = [];
  const entry = (index: number) => (index > staticEntries ? entries.at(staticEntries - index) : undefined);
  return {
    read(block) {
      const reader = { block, at: 0 };
      let status: number | undefined;
      while (reader.at < block.length) {
        const first = block.readUInt8(reader.at);
        if (first >= 0x80) {
          const found = entry(readInteger(reader, 7));
          status ??= found;
        } else if (first >= 0x20 && first < 0x40) {
          readInteger(reader, 5);
        } else {
          const found = readLiteral(reader, first >= 0x40 ? 6 : 4, entry);
          status ??= found;
          if (first >= 0x40) entries.push(found);
          if (entries.length > 2 * entriesMax) entries.splice(0, entriesMax);
        }
      }
      return status;
    },
  };
}

interface Reader {
  readonly block: Buffer;
  at: number;
}

function readLiteral(
  reader: Reader,
  prefixBits: number,
  entry: (index: number) => number | undefined,
): number | undefined {
  const nameIndex = readInteger(reader, prefixBits);
  const name = nameIndex === 0 ? readText(reader).bytes : undefined;
  const isStatus = name ? names.some((known) => known.equals(name)) : entry(nameIndex) !== undefined;
  const value = readText(reader);
  if (!isStatus) return undefined;
  if (!value.huffman) return Number(value.bytes.toString('latin1'));
  return value.bytes.length === 1 && value.bytes[0] === 0x07 ? 0 : Number.NaN;
}

function readText(reader: Reader): { readonly huffman: boolean; readonly bytes: Buffer } {
  const huffman = reader.block.readUInt8(reader.at) >= 0x80;
  const length = readInteger(reader, 7);
  reader.at += length;
  return { huffman, bytes: reader.block.subarray(reader.at - length, reader.at) };
}

function readInteger(reader: Reader, prefixBits: number): number {
  const max = 2 ** prefixBits - 1;
  let value = reader.block.readUInt8(reader.at++) & max;
  if (value < max) return value;
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = reader.block.readUInt8(reader.at++);
    value += (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return value;
}

function entryName(name: string | number): Buffer {
  return typeof name === 'number' ? Buffer.of(0x40 | name) : Buffer.concat([Buffer.of(0x40), literal(name)]);
}

function literal(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text, 'latin1')]);
}
