import { once } from 'node:events';
import { connect as connectH2 } from 'node:http2';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, frameType, preface } from '../../src/h2/frame.ts';
import { FrameReader } from '../../src/h2/frame-reader.ts';
import { HpackDecoder, tableBytesMax } from '../../src/h2/headers/hpack.ts';

type Pair = [name: string, value: string];

function decode(decoder: HpackDecoder, block: Buffer): Pair[] {
  const pairs: Pair[] = [];
  decoder.decode(block, 0, block.length, { onField: ({ name, value }) => pairs.push([name, value]) });
  return pairs;
}

describe('the examples of RFC 7541, appendix C, are read as they are meant:', () => {
  const first: Pair[] = [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ];
  const second: Pair[] = [...first, ['cache-control', 'no-cache']];
  const third: Pair[] = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/index.html'],
    [':authority', 'www.example.com'],
    ['custom-key', 'custom-value'],
  ];

  it.each([
    [
      'as they are',
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ],
    [
      'in Huffman code',
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
  ])('%s', (_, ...blocks) => {
    const decoder = new HpackDecoder();
    const read = blocks.map((hex) => decode(decoder, Buffer.from(hex, 'hex')));

    expect(read).toEqual([first, second, third]);
  });

  it('a literal that is not indexed, one that never is, and an indexed field', () => {
    const decoder = new HpackDecoder();

    expect(decode(decoder, Buffer.from('040c2f73616d706c652f70617468', 'hex'))).toEqual([
      [':path', '/sample/path'],
    ]);
    expect(decode(decoder, Buffer.from('100870617373776f726406736563726574', 'hex'))).toEqual([
      ['password', 'secret'],
    ]);
    expect(decode(decoder, Buffer.from('82', 'hex'))).toEqual([[':method', 'GET']]);
    expect(() => decode(decoder, Buffer.of(0xbe))).toThrow('an index that no table has');
  });
});

it("the blocks of Node's own encoder are read back, request by request, whatever is in them", async () => {
  const name = fc
    .string({
      unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-_.'),
      minLength: 1,
      maxLength: 20,
    })
    .map((text) => `x-${text}`);
  const value = fc
    .string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f && (code < 0x80 || code > 0x9f))
        .map((code) => String.fromCharCode(code)),
      maxLength: 200,
    })
    .map((text) => text.trim());
  const lists = fc.sample(fc.array(fc.tuple(name, value), { maxLength: 40 }), { numRuns: 60, seed: 7 });
  const requests = lists.map((pairs) => Object.fromEntries([...pairs, ['x-again', 'the same each time']]));

  const decoder = new HpackDecoder();
  const read: Pair[][] = [];
  const server = createServer((socket) => {
    const reader = new FrameReader();
    let at = preface.length;
    socket.write(frame(frameType.settings, 0, 0, Buffer.alloc(0)));
    let block = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const start = Math.min(at, chunk.length);
      at -= start;
      reader.read(chunk, start, {
        onFrame(type, flags, _, bytes, from, end) {
          if (type !== frameType.headers && type !== frameType.continuation) return;
          block = Buffer.concat([block, bytes.subarray(from + (flags & 0x20 ? 5 : 0), end)]);
          if ((flags & 4) === 0) return;
          read.push(decode(decoder, block));
          block = Buffer.alloc(0);
          if (read.length === requests.length) socket.destroy();
        },
      });
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const session = connectH2(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  for (const headers of requests) session.request(headers).on('error', () => {});
  await once(session, 'close');
  server.close();

  const plain = read.map((pairs) => Object.fromEntries(pairs.filter(([known]) => known.startsWith('x-'))));
  expect(plain).toEqual(requests);
});

it('what is no header block is an error, and no more than that', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), (blocks) => {
      const decoder = new HpackDecoder();
      for (const block of blocks) {
        try {
          decode(decoder, Buffer.from(block));
        } catch (error) {
          expect((error as Error).name).toBe('ConnectionError');
          return;
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

it('the table forgets the oldest when it is full, and all when it is made small', () => {
  const decoder = new HpackDecoder();
  const add = (value: string) => Buffer.concat([Buffer.of(0x40, 1, 0x61, value.length), Buffer.from(value)]);
  const bytes = 32 + 1 + 100;
  const fits = Math.floor(tableBytesMax / bytes);
  for (let index = 0; index <= fits; index++) decode(decoder, add(String(index).padStart(100, '0')));

  expect(decode(decoder, Buffer.of(0x80 | (61 + fits)))).toEqual([['a', '1'.padStart(100, '0')]]);
  expect(() => decode(decoder, Buffer.of(0x80 | (61 + fits + 1)))).toThrow();
  decode(decoder, Buffer.of(0x20));
  expect(() => decode(decoder, Buffer.of(0xbe))).toThrow();
});
