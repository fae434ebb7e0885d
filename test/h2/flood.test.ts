/** What a peer can do too much of: its own connection ends for it, and others are served meanwhile. */
import { describe, expect, it } from 'vitest';
import { errorCode, flag, frame, frameType, rstStream, setting, windowUpdate } from '../../src/h2/frame.ts';
import { block, call, callFields, data, headers, message, settings } from './raw-client.ts';
import { createSetting } from './setting.ts';

const none = Buffer.alloc(0);
const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

describe('a flood of', () => {
  const few = { resetsMax: 100, idleFramesMax: 100, idleFramesPerCall: 0 };

  it.each<[string, Uint8Array[]]>([
    [
      'calls that are reset',
      many(101, (index) => Buffer.concat([headers(2 * index + 1), rstStream(2 * index + 1, 8)])),
    ],
    ['calls that the server has to reset', many(101, (index) => headers(2 * index + 1, [['X', 'y']], 0x5))],
    [
      'windows that overflow',
      many(101, (index) => Buffer.concat([headers(2 * index + 1), windowUpdate(2 * index + 1, 2 ** 31 - 1)])),
    ],
    ['PINGs', many(101, () => frame(frameType.ping, 0, 0, Buffer.alloc(8)))],
    ['SETTINGS', many(101, () => settings([setting.enablePush, 0]))],
    ['acknowledgements', many(101, () => frame(frameType.settings, flag.ack, 0, none))],
    ['PRIORITY', many(101, () => frame(frameType.priority, 0, 3, Buffer.alloc(5)))],
    ['unknown frames', many(101, () => frame(0x42, 0, 0, none))],
    ['WINDOW_UPDATE', many(101, () => windowUpdate(0, 1))],
    ['DATA that are empty', [headers(1), ...many(101, () => data(1, none, 0))]],
    [
      'DATA that are padding',
      [headers(1), ...many(101, () => frame(frameType.data, flag.padded, 1, Buffer.of(1, 0)))],
    ],
    ['resets of what is closed', [call(1, 'a'), ...many(101, () => rstStream(1, 8))]],
    [
      'CONTINUATION',
      [headers(1, [], 0), ...many(9, () => frame(frameType.continuation, 0, 1, block([['x', 'y']])))],
    ],
    [
      'CONTINUATION that are empty',
      [headers(1, [], 0), ...many(9, () => frame(frameType.continuation, 0, 1, none))],
    ],
    [
      'headers',
      [headers(1, [], 0), ...many(5, () => frame(frameType.continuation, 0, 1, Buffer.alloc(16_000)))],
    ],
  ])('%s ends the connection that it is on, and no other', async (_, frames) => {
    const server = await createSetting(few);
    const good = await server.connect();
    const bad = await server.connect();
    bad.send(...frames);
    good.send(call(1, 'good'));

    expect(await good.outcome(1)).toMatchObject({ data: message('good') });
    // Some of what a flood is answered may be lost with the connection.
    expect(await bad.ended().then((code) => code ?? errorCode.enhanceYourCalm)).toBe(
      errorCode.enhanceYourCalm,
    );
    expect(await server.serves()).toBe(true);
    good.send(call(3, 'still'));
    expect(await good.outcome(3)).toMatchObject({ data: message('still') });
    await server.close();
  });

  it('what is allowed each second is none', async () => {
    const server = await createSetting({ ...few, idleFramesPerSecond: 10, resetsPerSecond: 10 });
    const client = await server.connect();
    for (let round = 0; round < 30; round++) {
      const id = 2 * round + 1;
      client.send(frame(frameType.ping, 0, 0, Buffer.alloc(8)), frame(frameType.ping, 0, 0, Buffer.alloc(8)));
      client.send(headers(100 * id + 1), rstStream(100 * id + 1, 8), call(100 * id + 3, 'a'));
      await client.outcome(100 * id + 3);
      server.clock.pass(1_000);
    }

    expect(client.isClosed).toBe(false);
    await server.close();
  });

  it('frames that go with calls is none', async () => {
    const server = await createSetting({ idleFramesMax: 100, idleFramesPerCall: 8 });
    const client = await server.connect();
    for (let id = 1; id < 800; id += 2) {
      client.send(
        call(id, 'a'),
        windowUpdate(0, 20),
        windowUpdate(id, 20),
        frame(frameType.ping, 0, 0, Buffer.alloc(8)),
      );
      if (id % 64 === 1) await client.outcome(id);
    }
    await client.outcome(799);

    expect(client.isClosed).toBe(false);
    await server.close();
  });
});

describe('a connection may have', () => {
  it('only so many calls under way; what is more is refused such that it can be tried again', async () => {
    const server = await createSetting({ streamsMax: 3 });
    const client = await server.connect();
    for (const id of [1, 3, 5, 7])
      client.send(headers(id, callFields('/test.Echo/Held')), data(id, message(String(id))));

    expect(await client.outcome(7)).toMatchObject({ reset: errorCode.refusedStream });
    const greeting = await client.frame(frameType.settings);
    expect(greeting.payload.includes(Buffer.from('000300000003', 'hex'))).toBe(true);
    server.held[0]?.answer('done');
    await client.outcome(1);
    client.send(call(9, 'again'));
    expect(await client.outcome(9)).toMatchObject({ data: message('again') });
    await server.close();
  });

  it('only so much of long messages before they are whole, together with all others', async () => {
    const server = await createSetting({ heldBytesMax: 100_000, requestBytesMax: 90_000 });
    const [one, other] = [await server.connect(), await server.connect()];
    const long = message('x'.repeat(80_000));
    const begin = (id: number) => [
      headers(id),
      data(id, long.subarray(0, 16_000), 0),
      ...many(3, (at) => data(id, long.subarray(16_000 * (at + 1), 16_000 * (at + 2)), 0)),
    ];
    one.send(settings([setting.initialWindow, 2 ** 20]), windowUpdate(0, 2 ** 20));
    other.send(settings([setting.initialWindow, 2 ** 20]), windowUpdate(0, 2 ** 20));
    one.send(...begin(1), call(3, 'a'));
    await one.outcome(3);
    other.send(...begin(1));

    expect(await other.outcome(1)).toMatchObject({ headers: { 'grpc-status': '8' } });
    one.send(data(1, long.subarray(64_000, 80_000), 0), data(1, long.subarray(80_000)));
    expect((await one.outcome(1)).data).toHaveLength(80_005);
    other.send(...begin(3), data(3, long.subarray(64_000, 80_000), 0), data(3, long.subarray(80_000)));
    expect((await other.outcome(3)).data).toHaveLength(80_005);
    await server.close();
  });

  it('no message that is longer than the bound, whatever its length says', async () => {
    const server = await createSetting({ requestBytesMax: 100 });
    const client = await server.connect();
    client.send(
      call(1, 'x'.repeat(100)),
      call(3, 'x'.repeat(101)),
      headers(5),
      data(5, Buffer.from('00ffffffff', 'hex'), 0),
    );

    expect((await client.outcome(1)).data).toHaveLength(105);
    const told = { 'grpc-status': '8', 'grpc-message': 'Received message larger than max (101 vs 100)' };
    expect(await client.outcome(3)).toMatchObject({ headers: told });
    expect(await client.outcome(5)).toMatchObject({ headers: { 'grpc-status': '8' } });
    expect(server.calls.count).toBe(1);
    await server.close();
  });

  it('only so many answers that wait for its windows', async () => {
    const server = await createSetting({ waitingBytesMax: 1_000_000 });
    const client = await server.connect();
    client.send(settings([setting.initialWindow, 0]));
    for (let id = 1; id < 25; id += 2) client.send(call(id, '100000', '/test.Echo/Large'));

    expect(await client.ended()).toBe(errorCode.enhanceYourCalm);
    expect(await server.serves()).toBe(true);
    await server.close();
  });

  it('only so many answers that its socket does not take: it is not read from, and closed in the end', async () => {
    const server = await createSetting({
      unreadBytesMax: 100_000,
      stallMaxMs: 5_000,
      waitingBytesMax: 2 ** 30,
    });
    const client = await server.connect();
    client.send(settings([setting.initialWindow, 2 ** 31 - 1]), windowUpdate(0, 2 ** 30));
    client.pause();
    const ask = (id: number) => headers(id, callFields('/test.Echo/Large'));
    for (let id = 1; id < 1_600; id += 2) client.send(ask(id), data(id, message('1000000')));
    expect(await server.serves()).toBe(true);
    server.clock.pass(4_000);
    expect(await server.serves()).toBe(true);
    server.clock.pass(2_000);
    client.resume();

    expect(await client.ended()).toBeUndefined();
    await server.close();
  });

  it('a reader that is slow, and gets all of its answers', async () => {
    const server = await createSetting({ unreadBytesMax: 100_000 });
    const client = await server.connect();
    client.send(settings([setting.initialWindow, 2 ** 31 - 1]), windowUpdate(0, 2 ** 30));
    client.pause();
    for (let id = 1; id < 200; id += 2) client.send(call(id, '100000', '/test.Echo/Large'));
    expect(await server.serves()).toBe(true);
    client.resume();
    for (let id = 1; id < 200; id += 2) expect((await client.outcome(id)).data).toHaveLength(100_005);

    await server.close();
  });
});
