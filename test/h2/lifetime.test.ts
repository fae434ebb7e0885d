import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { errorCode, flag, frame, frameType, preface, streamIdMax } from '../../src/h2/frame.ts';
import { call, callFields, data, headers, message, RawClient as Raw, type RawClient } from './raw-client.ts';
import { createSetting, type Setting } from './setting.ts';

const goaways = (client: RawClient) =>
  client.frames.filter(({ type }) => type === frameType.goaway).map(({ payload }) => payload.readUInt32BE());
const isGoaway = (client: RawClient, last: number) => () => goaways(client).includes(last);
const hold = (id: number, content = 'x') =>
  Buffer.concat([headers(id, callFields('/test.Echo/Held')), data(id, message(content))]);
const answerPings = (client: RawClient, sent = { pings: 0 }) => {
  const pings = client.frames.filter(({ type, flags }) => type === frameType.ping && flags === 0);
  for (const { payload } of pings.slice(sent.pings)) client.send(frame(frameType.ping, flag.ack, 0, payload));
  sent.pings = pings.length;
};

/** The server has read what was sent before this. */
async function settle(client: RawClient, id: number): Promise<void> {
  client.send(call(id, 'settled'));
  await client.outcome(id);
}

describe('a drain', () => {
  it('takes what was on its way, answers what is under way, and then closes', async () => {
    const server = await createSetting();
    const client = await server.connect();
    client.send(hold(1));
    await expect.poll(() => server.held.length).toBe(1);
    const closed = server.listener.close(20_000);
    await client.until(isGoaway(client, streamIdMax));
    client.send(hold(3), call(5, 'on its way'));
    expect(await client.outcome(5)).toMatchObject({ data: message('on its way') });
    answerPings(client);
    await client.until(isGoaway(client, 5));
    client.send(call(7, 'too late'));
    server.held[0]?.answer('one');
    server.held[1]?.answer('two');

    expect(await client.outcome(1)).toMatchObject({ data: message('one'), headers: { 'grpc-status': '0' } });
    expect(await client.outcome(3)).toMatchObject({ data: message('two'), headers: { 'grpc-status': '0' } });
    expect(await client.ended()).toBe(errorCode.noError);
    expect(client.sofar(7)).toMatchObject({ headers: {}, isEnded: false, reset: undefined });
    await closed;
  });

  it('does not wait for ever for the answer to its PING, nor for one who never said a word', async () => {
    const server = await createSetting();
    const [mute, silent] = [await server.connect(), await server.connect(false)];
    await settle(mute, 1);
    const closed = server.listener.close(20_000);
    await mute.until(isGoaway(mute, streamIdMax));
    server.clock.pass(2_000);

    expect(await mute.ended()).toBe(errorCode.noError);
    expect(await silent.ended()).toBe(errorCode.noError);
    await closed;
  });

  it('ends what is under way when its time is over', async () => {
    const server = await createSetting();
    const client = await server.connect();
    client.send(hold(1));
    await expect.poll(() => server.held.length).toBe(1);
    const closed = server.listener.close(20_000);
    await client.until(isGoaway(client, streamIdMax));
    server.clock.pass(19_999);
    expect(client.isClosed).toBe(false);
    server.clock.pass(1);

    await client.ended();
    await closed;
    expect(client.sofar(1)).toMatchObject({ isEnded: false });
  });

  it('allows nobody any more', async () => {
    const server = await createSetting();
    await server.listener.close(0);

    const refused = connect(server.listen.kind === 'tcp' ? server.listen.port : 0, '127.0.0.1');
    expect(await once(refused, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }]);
  });

  it('loses no call of a client that goes elsewhere when it is told to', async () => {
    const first = await createSetting();
    const second = await createSetting();
    const answered: string[] = [];
    const client = await first.connect();
    const sent = { pings: 0 };
    let closed: Promise<void> | undefined;
    let elsewhere: RawClient | undefined;
    for (let id = 1; id < 2_000; id += 2) {
      if (id === 1_001) closed = first.listener.close(20_000);
      answerPings(client, sent);
      if (goaways(client).length > 0) elsewhere ??= await second.connect();
      const to = elsewhere ?? client;
      to.send(call(id, String(id)));
      if (id % 7 === 0) answered.push((await to.outcome(id)).data.toString());
    }
    answerPings(client, sent);
    await closed;
    await elsewhere?.outcome(1_999);
    const told = Array.from({ length: 1_000 }, (_, at) => 2 * at + 1).filter(
      (id) =>
        client.sofar(id).headers['grpc-status'] === '0' ||
        elsewhere?.sofar(id).headers['grpc-status'] === '0',
    );

    expect(told).toHaveLength(1_000);
    expect(elsewhere).toBeDefined();
    await second.close();
  });
});

describe('a connection', () => {
  it('is told to end when it is old, a tenth more or less, and has its grace', async () => {
    const bounds = { connectionAgeMaxMs: 100_000, connectionGraceMs: 5_000, keepaliveMs: 2 ** 40 };
    for (const [random, age] of [
      [0, 90_000],
      [0.5, 100_000],
      [0.999, 109_980],
    ] as const) {
      const server = await createSetting(bounds, { random: () => random });
      const client = await server.connect();
      client.send(hold(1));
      await expect.poll(() => server.held.length).toBe(1);
      server.clock.pass(age - 2_000);
      await settle(client, 3);
      expect(goaways(client)).toEqual([]);
      server.clock.pass(3_000);
      await client.until(isGoaway(client, streamIdMax));
      answerPings(client);
      await client.until(isGoaway(client, 3));
      server.clock.pass(3_000);
      expect(client.isClosed).toBe(false);
      server.clock.pass(3_000);
      await client.ended();
      await server.close();
    }
  });

  it('is asked for a sign of life when it is silent, and closed when it gives none', async () => {
    const server = await createSetting({
      keepaliveMs: 60_000,
      pingMaxMs: 20_000,
      connectionAgeMaxMs: 2 ** 40,
    });
    const [alive, dead] = [await server.connect(), await server.connect()];
    await Promise.all([settle(alive, 1), settle(dead, 1)]);
    server.clock.pass(61_000);
    await alive.frame(frameType.ping);
    answerPings(alive);
    await settle(alive, 3);
    server.clock.pass(21_000);

    await dead.ended();
    await settle(alive, 5);
    await server.close();
  });

  it.each<[string, Uint8Array[]]>([
    ['says nothing', []],
    ['says half of the preface', [preface.subarray(0, 12)]],
    ['says nothing after the preface', [preface]],
    [
      'says half of its SETTINGS',
      [preface, frame(frameType.settings, 0, 0, Buffer.alloc(6)).subarray(0, 12)],
    ],
  ])('is closed when it %s for too long', async (_, said) => {
    const server = await createSetting({ handshakeMaxMs: 10_000 });
    const client = await server.connect(false);
    client.send(...said);
    await client.frame(frameType.settings);
    server.clock.pass(9_000);
    expect(await server.serves()).toBe(true);
    expect(client.isClosed).toBe(false);
    server.clock.pass(2_000);

    await client.ended();
    await server.close();
  });

  it('is closed when it does not close after its end', async () => {
    const server = await createSetting({ lingerMs: 1_000 });
    const socket = connect({ port: portOf(server), host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    const client = await Raw.connect(server.listen, true, socket);
    client.send(frame(frameType.settings, 0, 1, Buffer.alloc(0)));
    await client.frame(frameType.goaway);
    server.clock.pass(3_000);

    // Only a socket that is still there would hold this up.
    await server.listener.close(20_000);
    client.close();
  });

  it('gives its calls up when it closes', async () => {
    const server = await createSetting();
    const client = await server.connect();
    client.send(hold(1), headers(3, callFields('/test.Echo/Chat')));
    await settle(client, 5);
    client.close();

    await expect.poll(() => server.chats).toEqual(['cancelled']);
    server.held[0]?.answer('nobody hears it');
    expect(await server.serves()).toBe(true);
    expect(server.broken).toEqual([]);
    await server.close();
  });

  it('gives up a call without a deadline that never ends', async () => {
    const server = await createSetting({ callMaxMs: 30_000, keepaliveMs: 2 ** 40 });
    const client = await server.connect();
    client.send(
      headers(1),
      data(1, message('half').subarray(0, 7), 0),
      hold(3),
      headers(5, callFields('/test.Echo/Chat')),
    );
    await settle(client, 7);
    server.clock.pass(31_000);

    expect(await client.outcome(1)).toMatchObject({ headers: { 'grpc-status': '4' } });
    expect(await client.outcome(3)).toMatchObject({ headers: { 'grpc-status': '4' } });
    expect(client.sofar(5).isEnded).toBe(false);
    await server.close();
  });
});

describe('connections that are too many', () => {
  it('are closed, unless an older one is idle and makes room', async () => {
    let told = 0;
    const onFull = () => told++;
    const server = await createSetting({ connectionsMax: 3, evictAfterMs: 5_000 }, { onFull });
    const [busy, idle, fresh] = [await server.connect(), await server.connect(), await server.connect()];
    busy.send(hold(1));
    await expect.poll(() => server.held.length).toBe(1);
    await settle(idle, 1);
    server.clock.pass(4_000);
    await settle(fresh, 1);
    for (const refused of [await server.connect(), await server.connect()]) {
      expect(await refused.ended()).toBeUndefined();
    }
    expect(told).toBe(1);
    server.clock.pass(1_500);
    const late = await server.connect();
    await settle(late, 1);

    expect(await idle.ended()).toBe(errorCode.noError);
    await settle(fresh, 3);
    server.held[0]?.answer('here');
    expect(await busy.outcome(1)).toMatchObject({ data: message('here') });
    await server.close();
  });
});

function portOf({ listen }: Setting): number {
  return listen.kind === 'tcp' ? listen.port : 0;
}
