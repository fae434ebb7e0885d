import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AccessRequest } from '../../src/check/request.ts';
import { createCheckReader } from '../../src/grpc/check/check-request.ts';
import { CheckRequest } from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { encode, type Field, merged, read } from './wire-tree.ts';

const names = [
  'authorization',
  'Authorization',
  'AUTHORIZATION',
  'cookie',
  'x-postern-a',
  'X-Postern-B',
  'x.postern~c',
  'X_User',
  'x',
];
const reserved = { prefixes: ['x-postern-'], names: ['x-user'] };

describe('a CheckRequest', () => {
  it('reads as the generated code reads it, whatever fields it has and in whatever order and pieces', () => {
    fc.assert(
      fc.property(checkRequests, (fields) => {
        const bytes = encode(fields);
        expect(viewOf(createCheckReader()(bytes))).toEqual(expectedView(encode(merged(fields))));
      }),
      { numRuns: 3_000 },
    );
  });

  it('is refused or read as what is left of it reads, wherever it is cut or changed', () => {
    fc.assert(
      fc.property(checkRequests, damages, (fields, damage) => {
        const bytes = damage(encode(fields));
        const known = read(bytes);
        const reader = createCheckReader();
        if (known === null) expect(() => reader(bytes)).toThrow();
        else expect(viewOf(reader(bytes))).toEqual(expectedView(encode(merged(known))));
      }),
      { numRuns: 6_000 },
    );
  });

  it('reads the same after others were read, and after its bytes were used again', () => {
    fc.assert(
      fc.property(fc.array(checkRequests, { minLength: 2, maxLength: 4 }), (all) => {
        const reader = createCheckReader();
        const bytes = Buffer.alloc(100_000);
        const kept = all.map((fields) => {
          const encoded = encode(fields);
          bytes.set(encoded);
          const request = reader(bytes.subarray(0, encoded.length));
          request?.keep();
          return request;
        });
        expect(kept.map(viewOf)).toEqual(all.map((fields) => expectedView(encode(merged(fields)))));
      }),
      { numRuns: 300 },
    );
  });

  it('has the same context for the same bytes, unless something stands between its entries', () => {
    const reader = createCheckReader();
    const entry = { number: 10, value: [{ number: 1, value: Buffer.from('scheme') }] };
    const request = { number: 4, value: [{ number: 2, value: [] }] };
    const contextOf = (...fields: Field[]) => reader(encode([{ number: 1, value: fields }]))?.context;
    expect(contextOf(entry, entry, request)).toBe(contextOf(request, entry, entry));
    expect(contextOf(entry, request, entry)).toEqual(contextOf(entry, entry, request));
    expect(contextOf(entry, request, entry)).not.toBe(contextOf(entry, request, entry));
  });

  it('keeps no more than some MiB of contexts, however long and however many they are', () => {
    const contexts = [
      ...Array.from({ length: 40 }, (_, at) => 'v'.repeat(15_000) + at),
      ...Array.from({ length: 40 }, (_, at) => 'v'.repeat(400_000) + at),
    ];
    const reader = createCheckReader();
    const contextOf = (value: string) => {
      const pair = [
        { number: 1, value: Buffer.from('permissions') },
        { number: 2, value: Buffer.from(value) },
      ];
      const fields = [
        { number: 10, value: pair },
        { number: 4, value: [{ number: 2, value: [] }] },
      ];
      return reader(encode([{ number: 1, value: fields }]))?.context;
    };
    for (const value of contexts) expect(contextOf(value)?.get('permissions')).toBe(value);
    const short = contexts[39] ?? '';
    expect(contextOf(short)).toBe(contextOf(short));
    const long = contexts.at(-1) ?? '';
    expect(contextOf(long)).not.toBe(contextOf(long));
    const first = contextOf(short);
    for (let at = 0; at < 80; at++) contextOf('w'.repeat(15_000) + at);
    expect(contextOf(short)).toEqual(first);
    expect(contextOf(short)).not.toBe(first);
  });

  it('takes the address from the one header that is named, and none that does not stand there once', () => {
    const addressOf = (...values: string[]) => {
      const text = (number: number, value: string) => ({ number, value: Buffer.from(value) });
      const socket = { number: 1, value: [{ number: 1, value: [text(2, '127.0.0.1')] }] };
      const headers = values.map((value) => ({
        number: 1,
        value: [text(1, 'x-client-address'), { number: 3, value: Buffer.from(value) }],
      }));
      const http = [{ number: 13, value: headers }];
      const request = { number: 4, value: [{ number: 2, value: http }] };
      const source = { number: 1, value: [socket] };
      const bytes = encode([{ number: 1, value: [source, request] }]);
      return createCheckReader('x-client-address')(bytes)?.address;
    };
    expect(addressOf()).toBe('127.0.0.1');
    expect(addressOf('203.0.113.7')).toBe('203.0.113.7');
    expect(addressOf('2001:db8::1')).toBe('2001:db8::1');
    for (const values of [
      ['203.0.113.7', '203.0.113.8'],
      ['203.0.113.7,203.0.113.8'],
      ['unknown'],
      [''],
      ['fe80::1%eth0'],
    ])
      expect(addressOf(...values)).toBe('');
  });

  it('has no address where what stands there is none, or longer than any is', () => {
    const read = createCheckReader();
    const addressOf = (text: string) => {
      const socket = [{ number: 2, value: Buffer.from(text) }];
      const source = { number: 1, value: [{ number: 1, value: [{ number: 1, value: socket }] }] };
      const request = { number: 4, value: [{ number: 2, value: [] }] };
      return read(encode([{ number: 1, value: [source, request] }]))?.address;
    };
    const longest = '0000:0000:0000:0000:0000:ffff:192.168.100.228';
    expect(addressOf(longest)).toBe(longest);
    expect(addressOf('v'.repeat(900_000))).toBe('');
    for (const address of [
      '192.0.2.1',
      ...['192.1.2.1', '102.0.2.1', '2.0.2.1', '192.0.2.1', '2001:db8::2:1'],
      '0.0.0.0',
      '255.255.255.255',
      '::',
      '2001:db8::1',
      '::ffff:192.0.2.1',
    ])
      expect(addressOf(address)).toBe(address);
    const none = [
      ...[
        '',
        'localhost',
        '1.2.3',
        '1.2.3.4.5',
        '1.2.3.256',
        '01.2.3.4',
        '1.2.3.4 ',
        '1..2.3',
        '.1.2.3',
        '1.2.3.',
      ],
      ...['192.0.2.2.1', 'x92.0.2.1', '1'],
      ...['fe80::1%eth0', '2001:db8::g', '1.2.3.4\nx', '<script>', '１.2.3.4', '1:2.3.4'],
    ];
    for (const text of none) expect([text, addressOf(text)]).toEqual([text, '']);
  });

  it('may hold bytes that are no UTF-8 where no decision looks, and elsewhere they are a key, a name, an address of nobody', () => {
    const bad = Buffer.from([0xff, 0xfe, 0xc0]);
    const named = (name: string | Buffer, value: string | Buffer): Field => ({
      number: 3,
      value: [1, 2].map((number) => ({ number, value: Buffer.from([name, value][number - 1] as string) })),
    });
    const http = (...fields: Field[]): Field => ({ number: 4, value: [{ number: 2, value: fields }] });
    const read = (...fields: Field[]) => createCheckReader()(encode([{ number: 1, value: fields }]));
    // id, scheme, query, fragment, protocol and body; then headers that nobody asks for.
    const unused = [1, 6, 7, 8, 10, 11].map((number): Field => ({ number, value: bad }));
    const sent = [named('x-other', bad), named(bad, 'x'), named('authorization', 'Bearer k')];
    const request = read(http(...unused, ...sent), { number: 11, value: bad });
    expect(request?.header('authorization')).toEqual(['Bearer k']);
    expect(request?.reservedHeaders(reserved)).toEqual([]);

    const used = read(
      http({ number: 2, value: bad }, named('authorization', Buffer.concat([Buffer.from('Bearer '), bad]))),
    );
    expect(used?.method).toMatch(/^\ufffd+$/);
    expect(used?.header('authorization')[0]).toMatch(/^Bearer \ufffd+$/);
  });

  it.each([
    ['a field of number 0', [0x02, 0x00]],
    ['a group that is not closed', [0x0b]],
    ['a group that another one closes', [0x0b, 0x14]],
    ['the end of a group that did not begin', [0x0c]],
    ['wire type 6', [0x0e, 0x00]],
    ['wire type 7', [0x0f, 0x00]],
    ['a field past the end of its message', [0x0a, 0x02, 0x0a, 0x05, 0, 0, 0, 0, 0]],
    ['a length of six bytes', [0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ['a length above 32 bits', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x1f]],
    ['a number of eleven bytes', [0x08, ...new Array(10).fill(0x80), 0x00]],
    ['groups in groups in groups', [...new Array(200).fill(0x0b), ...new Array(200).fill(0x0c)]],
  ])('is refused for %s', (_, bytes) => {
    expect(() => createCheckReader()(Buffer.from(bytes))).toThrow();
  });
});

interface View {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly address: string | null;
  readonly context: Readonly<Record<string, string>>;
  readonly headers: readonly (readonly string[])[];
  readonly spoofed: readonly string[];
}

function viewOf(request: AccessRequest | null): View | null {
  if (request === null) return null;
  return {
    method: request.method,
    host: request.host,
    path: request.path,
    address: request.address,
    context: Object.fromEntries(request.context),
    headers: names.map((name) => request.header(name.toLowerCase())),
    spoofed: request.reservedHeaders(reserved),
  };
}

/** What the generated code reads, where a submessage comes in one piece: it does not merge those that do not. */
function expectedView(bytes: Uint8Array): View | null {
  const { attributes } = CheckRequest.decode(bytes);
  const http = attributes?.request?.http;
  if (attributes === undefined || http === undefined) return null;
  const peer = attributes.source?.address?.address;
  const apart = (http.headerMap?.headers ?? []).map(({ key, value, rawValue }) => ({
    name: lowerCase(key),
    value: rawValue.length > 0 ? Buffer.from(rawValue).toString('latin1') : value,
  }));
  const joined = Object.entries(http.headers).map(([key, value]) => ({ name: lowerCase(key), value }));
  const headers = apart.length > 0 ? apart : joined;
  return {
    method: http.method,
    host: http.host,
    path: http.path,
    address: peer?.$case === 'socketAddress' && isIP(peer.value.address) !== 0 ? peer.value.address : '',
    context: attributes.contextExtensions,
    headers: names.map((asked) =>
      headers.filter(({ name }) => name === asked.toLowerCase()).map(({ value }) => value),
    ),
    spoofed: [...new Set(headers.map(({ name }) => name).filter(isReserved))],
  };
}

function isReserved(name: string): boolean {
  const read = Buffer.from(name)
    .toString('latin1')
    .replace(/[^a-z0-9\x80-\xff]/g, '-');
  return read.startsWith('x-postern-') || read === 'x-user';
}

function lowerCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

const texts = fc
  .oneof(
    fc.constantFrom(...names, 'GET', '/a?b=c', '192.0.2.1', 'scheme', 'postern', ''),
    fc.string({ unit: 'grapheme', maxLength: 200 }),
  )
  // The generated code drops the map entry of that name.
  .filter((text) => text !== '__proto__')
  .map((text) => Buffer.from(text));
const bytes = fc.oneof(texts, fc.uint8Array({ maxLength: 200 }).map(Buffer.from));

/** Of a message: those that are given, each any number of times, and some that nobody knows. */
function message(known: Readonly<Record<number, fc.Arbitrary<Field['value']>>>): fc.Arbitrary<Field[]> {
  const fields = Object.entries(known).map(([number, value]) =>
    value.map((given): Field => ({ number: Number(number), value: given })),
  );
  return fc.array(fc.oneof({ arbitrary: fc.oneof(...fields), weight: 6 }, unknownFields), { maxLength: 6 });
}

/** Known numbers with another wire type too. */
const unknownFields: fc.Arbitrary<Field> = fc.oneof(
  fc.record({ number: fc.integer({ min: 1, max: 15 }), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({
    number: fc.integer({ min: 1, max: 15 }),
    value: fc.constantFrom({ fixed: 4 } as const, { fixed: 8 } as const),
  }),
  fc.record({ number: fc.integer({ min: 100, max: 2 ** 29 - 1 }), value: texts }),
  fc.record({
    number: fc.integer({ min: 1, max: 200 }),
    value: fc
      .array(fc.record({ number: fc.integer({ min: 1, max: 200 }), value: texts }), { maxLength: 3 })
      .map((group) => ({ group })),
  }),
);

const pair = message({ 1: texts, 2: texts });
const headerValue = message({ 1: texts, 2: texts, 3: bytes });
const http = message({ 2: texts, 3: pair, 4: texts, 5: texts, 13: message({ 1: headerValue }) });
const address = message({
  1: message({ 2: texts, 5: texts }),
  2: message({ 1: texts }),
  3: message({ 1: texts, 2: texts }),
});
const attributes = message({
  1: message({ 1: address, 2: texts }),
  4: message({ 2: http }),
  10: pair,
});
const checkRequests = message({ 1: attributes });

/** A cut, a byte that is another, a byte that is missing. */
const damages: fc.Arbitrary<(bytes: Buffer) => Buffer> = fc.oneof(
  fc.nat().map((at) => (given: Buffer) => given.subarray(0, at % (given.length + 1))),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (given: Buffer) => {
    const changed = Buffer.from(given);
    if (given.length > 0) changed[at % given.length] = byte;
    return changed;
  }),
  fc.nat().map((at) => (given: Buffer) => {
    const place = at % (given.length + 1);
    return Buffer.concat([given.subarray(0, place), given.subarray(place + 1)]);
  }),
);
