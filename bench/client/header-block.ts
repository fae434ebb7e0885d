/** A request's header block, as Envoy's encoder writes one. */
export interface CallHeaders {
  /** Fills the server's dynamic table; right for the first call of a connection alone. */
  readonly first: Buffer;
  /** Refers to that table: a dozen bytes beside the path. */
  readonly later: Buffer;
}

/** A block with room for a key at `keyAt`. */
export interface KeyedBlock {
  readonly block: Buffer;
  readonly keyAt: number;
}

type Header = readonly [name: string | number, value: string];

const staticEntries = 61;

/** Those of a gRPC call. */
export function callHeaders(path: string): CallHeaders {
  return blocks(Buffer.concat([Buffer.of(0x83, 0x86, 0x04), literal(path)]), [
    [1, 'ext_authz'],
    ['te', 'trailers'],
    // Envoy Gateway's default: 200 ms, Envoy's own, would turn a stall on a busy machine into a failure.
    ['grpc-timeout', '10S'],
    [31, 'application/grpc'],
    ['x-envoy-internal', 'true'],
    ['x-forwarded-for', '10.0.12.7'],
  ]);
}

/** Those of a GET that a browser's script makes, with a bearer key of `keyLength` characters in each. */
export function edgeHeaders(path: string, keyLength: number): { first: KeyedBlock; later: KeyedBlock } {
  const { first, later } = blocks(Buffer.concat([Buffer.of(0x82, 0x86, 0x04), literal(path)]), [
    [1, 'api.example.com'],
    [58, 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36'],
    [19, 'application/json, text/plain, */*'],
    [16, 'gzip, deflate, br, zstd'],
    [17, 'en-GB,en;q=0.9,de;q=0.8'],
    ['origin', 'https://console.example.com'],
    [51, 'https://console.example.com/accounts'],
  ]);
  // RFC 7541, section 6.2.3: a secret is never indexed. 23 is `authorization`.
  const credential = Buffer.concat([Buffer.of(0x1f, 23 - 15), literal(`Bearer ${' '.repeat(keyLength)}`)]);
  const keyed = (block: Buffer) => {
    const whole = Buffer.concat([block, credential]);
    return { block: whole, keyAt: whole.length - keyLength };
  };
  return { first: keyed(first), later: keyed(later) };
}

/**
 * Envoy's encoder leaves pseudo-headers but `:authority` out of the dynamic table (quiche's
 * HpackEncoder::DefaultPolicy) and indexes the rest, so from the second call on those are a byte each.
 */
function blocks(pseudo: Buffer, indexed: readonly Header[]): CallHeaders {
  const added = indexed.map(([name, value]) => Buffer.concat([entryName(name), literal(value)]));
  // The entry that was added last has the lowest index.
  const known = indexed.map((_, at) => 0x80 | (staticEntries + indexed.length - at));
  return { first: Buffer.concat([pseudo, ...added]), later: Buffer.concat([pseudo, Buffer.from(known)]) };
}

/** Finds the status in one connection's responses; every block has to pass through it, in order. */
export interface StatusReader {
  /** The status in the block; undefined without one, NaN where it is not a number. */
  read(block: Buffer): number | undefined;
}

const entriesMax = 4096 / 32;
/** The name as it stands on the wire, plain and in Huffman code, and its values in the static table. */
const statuses = {
  'grpc-status': { plain: 'grpc-status', huffman: '9acac8b21234da8f', values: new Map<number, number>() },
  ':status': {
    plain: ':status',
    huffman: 'b8848d36a3',
    values: new Map([200, 204, 206, 304, 400, 404, 500].map((status, at) => [8 + at, status])),
  },
};

/**
 * Reads HPACK (RFC 7541) only so far as to know which entries are the status that is wanted. Sizes, and with
 * them eviction, are not followed: an encoder does not refer to what it has evicted, and indices count from the
 * newest.
 */
export function createStatusReader(wanted: keyof typeof statuses): StatusReader {
  const { plain, huffman, values } = statuses[wanted];
  const names = [Buffer.from(plain), Buffer.from(huffman, 'hex')];
  /** Newest last: the status an entry holds, undefined for any other header. */
  const entries: (number | undefined)[] = [];
  const entry = (index: number) =>
    index > staticEntries ? entries.at(staticEntries - index) : values.get(index);
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
          const found = readLiteral(reader, first >= 0x40 ? 6 : 4, entry, names);
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
  names: readonly Buffer[],
): number | undefined {
  const nameIndex = readInteger(reader, prefixBits);
  const name = nameIndex === 0 ? readText(reader).bytes : undefined;
  const isStatus = name ? names.some((known) => known.equals(name)) : entry(nameIndex) !== undefined;
  const { huffman, bytes } = readText(reader);
  if (!isStatus) return undefined;
  return Number(huffman ? readDigits(bytes) : bytes.toString('latin1'));
}

function readText(reader: Reader): { readonly huffman: boolean; readonly bytes: Buffer } {
  const huffman = reader.block.readUInt8(reader.at) >= 0x80;
  const length = readInteger(reader, 7);
  reader.at += length;
  return { huffman, bytes: reader.block.subarray(reader.at - length, reader.at) };
}

/** Huffman code of digits (RFC 7541, appendix B): 0 to 2 in five bits, 3 to 9 in six; `?` for any other. */
function readDigits(bytes: Buffer): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  let text = '';
  // What is left over is padding, of ones.
  while (bits.length >= 5 && !/^1{1,7}$/.test(bits)) {
    const short = Number.parseInt(bits.slice(0, 5), 2);
    const long = Number.parseInt(bits.slice(0, 6), 2) - 0b011001 + 3;
    text += short < 3 ? short : long >= 3 && long <= 9 ? long : '?';
    bits = bits.slice(short < 3 ? 5 : 6);
  }
  return text;
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
