/** A connection told its bytes by hand, without a socket: however they are cut, and whatever they are. */
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { defaultBounds } from '../../src/h2/bounds.ts';
import { Connection } from '../../src/h2/connection.ts';
import { frame, frameType, preface, rstStream, setting, windowUpdate } from '../../src/h2/frame.ts';
import { createConnectionCounts } from '../../src/telemetry/connection-counts.ts';
import { call, callFields, data, headers, message, settings } from './raw-client.ts';
import { createTestMethods, FakeClock } from './setting.ts';

interface Heard {
  /** All that was written, and whether the connection was ended. */
  readonly written: Buffer;
  readonly isEnded: boolean;
  readonly broken: unknown[];
  readonly heldBytes: number;
}

/** Tells a new connection these bytes, one chunk after the other. */
function hear(chunks: readonly Uint8Array[]): Heard {
  const written: Buffer[] = [];
  const broken: unknown[] = [];
  const socket = {
    ...{ writableLength: 0, writable: true, destroyed: false, isEnded: false },
    write: (bytes: Uint8Array) => written.push(Buffer.from(bytes)),
    end() {
      socket.writable = false;
      socket.isEnded = true;
    },
    ...{ pause() {}, resume() {}, destroy() {} },
  };
  const held = { bytes: 0, bytesMax: defaultBounds.heldBytesMax };
  const shared = {
    methods: createTestMethods().methods,
    bounds: { ...defaultBounds, requestBytesMax: 100_000 },
    clock: new FakeClock(),
    random: () => 0,
    spares: [],
    held,
    counts: createConnectionCounts(),
    onBroken: (error: unknown) => broken.push(error),
  };
  const connection = new Connection(socket as unknown as Socket, shared, false);
  for (const chunk of chunks) connection.onBytes(Buffer.from(chunk));
  const { isEnded } = socket;
  connection.onClose();
  return { written: Buffer.concat(written), isEnded, broken, heldBytes: held.bytes };
}

function cut(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % bytes.length))].sort((a, b) => a - b);
  return [0, ...places].map((from, index) => bytes.subarray(from, places[index] ?? bytes.length));
}

const long = message('x'.repeat(40_000));
const conversation = Buffer.concat([
  preface,
  settings([setting.initialWindow, 100_000], [0x99, 1]),
  windowUpdate(0, 1_000_000),
  call(1, 'first'),
  headers(3, callFields('/no/such/method'), 0x5),
  headers(5),
  ...[0, 16_000, 32_000].map((at) => data(5, long.subarray(at, at + 16_000), 0)),
  frame(frameType.ping, 0, 0, Buffer.from('12345678')),
  data(5, long.subarray(48_000)),
  headers(7, callFields('/test.Echo/Chat')),
  data(7, message('one'), 0),
  call(9, 'between'),
  data(7, Buffer.concat([message('3 times'), message('')])),
  headers(11, [['X', 'upper case']], 0x5),
  headers(13, callFields(), 0),
  frame(frameType.continuation, 0x4, 13, Buffer.alloc(0)),
  rstStream(13, 8),
  headers(15, callFields('/test.Echo/Refused', [['content-type', 'text/plain']])),
  data(15, message('a')),
  call(17, 'last'),
]);

it('any split of what a client sends gives the same answers, to the byte', () => {
  const whole = hear([conversation]);
  expect(whole).toMatchObject({ isEnded: false, broken: [], heldBytes: 0 });
  expect(whole.written.includes(message('last'))).toBe(true);

  fc.assert(
    fc.property(fc.array(fc.nat(conversation.length), { maxLength: 40 }), (places) => {
      const { written, isEnded } = hear(cut(conversation, places));
      expect(isEnded).toBe(false);
      expect(written.equals(whole.written)).toBe(true);
    }),
    { numRuns: 300 },
  );
  const short = conversation.subarray(0, 2_000);
  const bytes = Array.from(short, (byte) => Buffer.of(byte));
  expect(hear(bytes).written.equals(hear([short]).written)).toBe(true);
});

it('whatever bytes arrive, nothing breaks and nothing is kept', () => {
  const edit = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.constantFrom('set', 'insert', 'drop') });
  const small = Buffer.concat([conversation.subarray(0, 400), conversation.subarray(-900)]);
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 8 }), fc.nat(small.length), (edits, place) => {
      let bytes = small;
      for (const { at, byte, kind } of edits) {
        const from = preface.length + (at % (bytes.length - preface.length));
        const rest = bytes.subarray(kind === 'insert' ? from : from + 1);
        const middle = kind === 'drop' ? Buffer.alloc(0) : Buffer.of(byte);
        bytes = Buffer.concat([bytes.subarray(0, from), middle, rest]);
      }

      expect(hear(cut(bytes, [place]))).toMatchObject({ broken: [], heldBytes: 0 });
    }),
    { numRuns: 3_000 },
  );
});

it('frames of any kind in any order break nothing and leave nothing', () => {
  const anyFrame = fc
    .tuple(
      fc.nat(11),
      fc.constantFrom(0, 1, 4, 5, 8, 9, 12, 13, 32, 37),
      fc.constantFrom(0, 1, 1, 3, 5, 2, 99),
      fc.oneof(
        fc.uint8Array({ maxLength: 12 }),
        fc.constantFrom(callBlock(), message('hello'), callBlock('/test.Echo/Chat')),
      ),
    )
    .map(([type, flags, stream, payload]) => frame(type, flags, stream, payload));
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 30 }), (frames) => {
      expect(hear([preface, settings(), ...frames])).toMatchObject({ broken: [], heldBytes: 0 });
    }),
    { numRuns: 3_000 },
  );
});

function callBlock(path?: string): Buffer {
  return headers(1, callFields(path)).subarray(9);
}
