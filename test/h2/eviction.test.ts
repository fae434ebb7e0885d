import { describe, expect, it } from 'vitest';
import { type Evictable, leastMissed } from '../../src/h2/eviction.ts';
import { errorCode, frame, frameType } from '../../src/h2/frame.ts';
import { call, callFields, data, headers, message, type RawClient } from './raw-client.ts';
import { createSetting } from './setting.ts';

const working: Evictable = { isOver: false, hasServed: true, idleSince: null, begunAt: 0 };
const times = { now: 10_000, evictAfterMs: 5_000 };

describe('who makes room', () => {
  const all: readonly (readonly [string, Evictable])[] = [
    ['works', working],
    ['worked a moment ago', { ...working, idleSince: 9_000 }],
    ['has a first call that takes long', { ...working, hasServed: false, begunAt: 1_000 }],
    ['has been idle for long', { ...working, idleSince: 4_000 }],
    ['was never asked, young', { ...working, hasServed: false, idleSince: 9_900, begunAt: 9_900 }],
    ['was never asked, old', { ...working, hasServed: false, idleSince: 9_990, begunAt: 9_000 }],
    ['has ended', { ...working, isOver: true }],
  ];

  it('is who has ended, then who was never asked, then who is idle, then who hangs, and never who works', () => {
    const left = new Map(all);
    const order: string[] = [];
    for (;;) {
      const next = leastMissed(left, [{ socket: 'shakes hands', since: 9_500 }], times);
      if (next === null || next === 'shakes hands') break;
      order.push(next);
      left.delete(next);
    }
    expect(order).toEqual(['has ended', 'was never asked, old']);
    for (;;) {
      const next = leastMissed(left, [], times);
      if (next === null) break;
      order.push(next);
      left.delete(next);
    }
    expect(order.slice(2)).toEqual([
      'was never asked, young',
      'has been idle for long',
      'has a first call that takes long',
    ]);
    expect([...left.keys()]).toEqual(['works', 'worked a moment ago']);
  });
});

describe('with all places taken', () => {
  it('by connections that never ask, a new one is served, and one that asks stays', async () => {
    const server = await createSetting({ connectionsMax: 10 });
    const good = await server.connect();
    good.send(call(1, 'one'));
    await good.outcome(1);
    const idle = await Promise.all(Array.from({ length: 40 }, () => server.connect()));
    for (let at = 0; at < 5; at++) {
      const late = await server.connect();
      late.send(call(1, 'late'));
      expect(await late.outcome(1)).toMatchObject({ data: message('late') });
    }
    good.send(call(3, 'two'));
    expect(await good.outcome(3)).toMatchObject({ data: message('two') });
    expect(idle.filter(({ isClosed }) => isClosed).length).toBeGreaterThan(30);
    await server.close();
  });

  it('by connections that were ended and do not close, a new one is served', async () => {
    const server = await createSetting({ connectionsMax: 5 });
    const flooding = await Promise.all(Array.from({ length: 5 }, () => server.connect()));
    for (const client of flooding) {
      client.pause();
      client.send(headers(1, [], 0), ...continuations(9));
    }
    const late = await served(server.connect);
    expect(late).toMatchObject({ data: message('late') });
    await server.close();
  });
});

it.each([
  ['a list of headers that is far too long', 12_000],
  ['as many as fit', 60_000 / 33],
])('%s, made of one octet a field, costs little before its connection ends', async (_, fields) => {
  const server = await createSetting();
  const [good, bad] = [await server.connect(), await server.connect()];
  // A field of 4 000 bytes goes into the table, and each further octet stands for all of it.
  const size = fields > 10_000 ? 4_000 : 1;
  const literal = Buffer.concat([Buffer.of(0x40, 1, 0x7a), length(size), Buffer.alloc(size, 0x61)]);
  const references = Buffer.alloc(fields, 0xbe);
  const block = Buffer.concat([headers(1, callFields('/test.Echo/Echo')).subarray(9), literal, references]);
  let sent = 0;
  while (!bad.isClosed && sent < 1_000) {
    bad.send(frame(frameType.headers, 0x5, 2 * sent++ + 1, block));
    await new Promise(setImmediate);
  }
  expect(await bad.ended().then((code) => code ?? errorCode.enhanceYourCalm)).toBe(errorCode.enhanceYourCalm);
  expect(sent).toBeLessThan(1_000);
  good.send(headers(1), data(1, message('good')));
  expect(await good.outcome(1)).toMatchObject({ data: message('good') });
  await server.close();
});

/** An HPACK integer with seven bits of prefix (RFC 7541, section 5.1). */
function length(size: number): Buffer {
  if (size < 127) return Buffer.of(size);
  const octets = [127];
  for (let rest = size - 127; ; rest = Math.floor(rest / 128)) {
    octets.push(rest < 128 ? rest : (rest & 127) | 128);
    if (rest < 128) return Buffer.from(octets);
  }
}

function continuations(count: number): Buffer[] {
  return Array.from({ length: count }, () => frame(frameType.continuation, 0, 1, Buffer.alloc(0)));
}

async function served(connect: () => Promise<RawClient>) {
  const late = await connect();
  late.send(call(1, 'late'));
  return late.outcome(1);
}
