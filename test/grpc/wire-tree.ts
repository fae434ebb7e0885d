/** A field of a protobuf message, with a value of its wire type: of type 2, bytes or the fields of a message. */
export interface Field {
  readonly number: number;
  readonly value:
    | Buffer
    | bigint
    | { readonly fixed: 4 | 8 }
    | { readonly group: readonly Field[] }
    | readonly Field[];
}

export function encode(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map(({ number, value }) => {
      if (typeof value === 'bigint') return Buffer.concat([tag(number, 0), varint(value)]);
      if ('fixed' in value)
        return Buffer.concat([tag(number, value.fixed === 8 ? 1 : 5), Buffer.alloc(value.fixed, 7)]);
      if ('group' in value) return Buffer.concat([tag(number, 3), encode(value.group), tag(number, 4)]);
      const bytes = Buffer.isBuffer(value) ? value : encode(value as readonly Field[]);
      return Buffer.concat([tag(number, 2), varint(BigInt(bytes.length)), bytes]);
    }),
  );
}

function tag(number: number, wireType: number): Buffer {
  return varint((BigInt(number) << 3n) | BigInt(wireType));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

/** What of a message a Check reads, by number: texts, and messages that stand once, several times or one of a oneof. */
interface Shape {
  readonly [number: number]: 'text' | { readonly as: 'once' | 'many' | 'choice'; readonly of: Shape };
}

const pair: Shape = { 1: 'text', 2: 'text' };
const headerMap: Shape = { 1: { as: 'many', of: { ...pair, 3: 'text' } } };
const address: Shape = {
  1: { as: 'choice', of: { 2: 'text' } },
  2: { as: 'choice', of: {} },
  3: { as: 'choice', of: {} },
};
const http: Shape = {
  ...{ 2: 'text', 3: { as: 'many', of: pair }, 4: 'text', 5: 'text' },
  13: { as: 'once', of: headerMap },
};
const attributes: Shape = {
  1: { as: 'once', of: { 1: { as: 'once', of: address } } },
  4: { as: 'once', of: { 2: { as: 'once', of: http } } },
  10: { as: 'many', of: pair },
};
const checkRequest: Shape = { 1: { as: 'once', of: attributes } };

/** The same message with each submessage in one piece, and without what a Check does not read. */
export function merged(fields: readonly Field[], shape: Shape = checkRequest): Field[] {
  let out: { readonly number: number; readonly value: Field['value'] }[] = [];
  for (const { number, value } of fields) {
    const kind = shape[number];
    if (kind === undefined || !(Buffer.isBuffer(value) || Array.isArray(value))) continue;
    if (kind === 'text') {
      out.push({ number, value });
      continue;
    }
    if (kind.as === 'many') {
      out.push({ number, value: merged(value as Field[], kind.of) });
      continue;
    }
    if (kind.as === 'choice') out = out.filter((other) => other.number === number);
    const before = out.find((other) => other.number === number);
    out = out.filter((other) => other !== before);
    out.push({ number, value: [...((before?.value ?? []) as Field[]), ...(value as Field[])] });
  }
  return out.map(({ number, value }) => {
    const kind = shape[number];
    const isMerged = kind === undefined || kind === 'text' || kind.as === 'many';
    return { number, value: isMerged ? value : merged(value as Field[], kind.of) };
  });
}

/** The fields of a message, and of those in it that a Check reads; null when protobuf's own parser would refuse it. */
export function read(bytes: Buffer): Field[] | null {
  try {
    return readMessage(bytes, checkRequest);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readMessage(bytes: Buffer, shape: Shape): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const field = readField(bytes, at, shape);
    fields.push(field);
    at = field.end;
  }
  return fields;
}

function readField(bytes: Buffer, at: number, shape: Shape, depth = 0): Field & { readonly end: number } {
  const { value: tagged, end: from } = readVarint(bytes, at, 32);
  const [number, wireType] = [Number(tagged >> 3n), Number(tagged & 7n)];
  if (number === 0) throw new RangeError('no number');
  if (wireType === 0) {
    const { value, end } = readVarint(bytes, from, 64);
    return { number, value, end };
  }
  if (wireType === 1 || wireType === 5) {
    const fixed = wireType === 1 ? 8 : 4;
    return { number, value: { fixed }, end: within(bytes, from + fixed) };
  }
  if (wireType === 2) {
    const { value: length, end: start } = readVarint(bytes, from, 32);
    const end = within(bytes, start + Number(length));
    const value = bytes.subarray(start, end);
    const kind = shape[number];
    return {
      number,
      value: kind === undefined || kind === 'text' ? value : readMessage(value, kind.of),
      end,
    };
  }
  if (wireType !== 3 || depth === 100) throw new RangeError('no such wire type, or too deep');
  for (let next = from; ; ) {
    const { value: inner, end: innerEnd } = readVarint(bytes, next, 32);
    if ((inner & 7n) === 4n) {
      if (Number(inner >> 3n) !== number) throw new RangeError('another group');
      return { number, value: { group: [] }, end: innerEnd };
    }
    next = readField(bytes, next, {}, depth + 1).end;
  }
}

/** Of 32 bits five bytes at most, of 64 ten. */
function readVarint(bytes: Buffer, at: number, bits: 32 | 64): { value: bigint; end: number } {
  let value = 0n;
  for (let count = 0; count < (bits === 32 ? 5 : 10); count++) {
    const byte = bytes[at + count];
    if (byte === undefined) throw new RangeError('it ends too early');
    value |= BigInt(byte & 0x7f) << BigInt(7 * count);
    if (byte < 0x80 && (bits === 64 || value < 2n ** 32n)) return { value, end: at + count + 1 };
  }
  throw new RangeError('too long');
}

function within(bytes: Buffer, end: number): number {
  if (end > bytes.length) throw new RangeError('past its message');
  return end;
}
