/** The same calls to this server and to grpc-js, which serve the same handlers: they have to be told the same. */
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  status,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flag, frame, frameType } from '../../src/h2/frame.ts';
import { formatListen, type Listen } from '../../src/net/listen.ts';
import { serveByGrpcJs, serviceOf } from './grpc-js-server.ts';
import { call, callFields, data, type Fields, headers, message, RawClient } from './raw-client.ts';
import { createSetting, createTestMethods, type Setting, type TestMethods } from './setting.ts';

const requestBytesMax = 200_000;
let ours: Setting;
let theirs: TestMethods & Awaited<ReturnType<typeof serveByGrpcJs>>;

beforeAll(async () => {
  ours = await createSetting({ requestBytesMax });
  const methods = createTestMethods();
  theirs = { ...methods, ...(await serveByGrpcJs(methods.methods, requestBytesMax)) };
});
afterAll(async () => {
  theirs.close();
  await ours.close();
});

/** What a caller learns of its call: all that both servers have to agree on. */
interface Told {
  readonly httpStatus: string | undefined;
  readonly status: string | undefined;
  readonly message: string;
  readonly data: string;
  readonly reset: number | undefined;
}

async function ask(listen: Listen, frames: readonly Uint8Array[]): Promise<Told> {
  const client = await RawClient.connect(listen);
  client.send(...frames);
  const { headers, data, isEnded, reset } = await client.outcome(1);
  client.close();
  return {
    httpStatus: headers[':status'],
    status: headers['grpc-status'],
    // grpc-js says OK beside a 0; nobody reads it.
    message: headers['grpc-status'] === '0' ? '' : decodeURIComponent(headers['grpc-message'] ?? ''),
    data: data.toString('latin1'),
    // After the end of an answer it tells no more than that the rest of the request is not wanted.
    reset: isEnded ? undefined : reset,
  };
}

const none = Buffer.alloc(0);
const fields = (path: string, ...more: Fields) => headers(1, callFields(path, more));
const echo = (...more: Fields) => fields('/test.Echo/Echo', ...more);
const without = (name: string, ...more: Fields) =>
  headers(1, [...callFields().filter(([one]) => one !== name), ...more]);
const pieces = (bytes: Buffer, length: number) =>
  Array.from({ length: Math.ceil(bytes.length / length) }, (_, index) =>
    data(1, bytes.subarray(index * length, (index + 1) * length), 0),
  );
const long = message('y'.repeat(60_000));

describe('a caller is told what grpc-js would tell it, for', () => {
  it.each<[string, Uint8Array[]]>([
    ['a call in two frames', [call(1, 'hello')]],
    ['an empty message', [call(1, '')]],
    ['a message byte by byte', [echo(), ...pieces(message('hello'), 1), data(1, none)]],
    ['a message with an end of its own', [echo(), data(1, message('hello'), 0), data(1, none)]],
    ['a long message', [echo(), ...pieces(long, 16_000), data(1, none)]],
    ['an end by trailers', [echo(), data(1, message('a'), 0), headers(1, [['x', 'y']], 0x5)]],
    [
      'content-type application/grpc+proto',
      [without('content-type', ['content-type', 'application/grpc+proto']), data(1, message('a'))],
    ],
    ['no te', [without('te'), data(1, message('a'))]],
    ['a right content-length', [echo(['content-length', '6']), data(1, message('a'))]],
    ['grpc-encoding, and no compressed message', [echo(['grpc-encoding', 'gzip']), data(1, message('a'))]],
    ['an unknown encoding', [echo(['grpc-encoding', 'snappy']), data(1, message('a', 1))]],
    ['an unknown method', [fields('/test.Echo/Nothing'), data(1, message('a'))]],
    ['an unknown service', [fields('/nothing/Echo'), data(1, message('a'))]],
    ['a path that is none', [fields('*'), data(1, message('a'))]],
    ['a message that is too long', [echo(), data(1, Buffer.from('0000030d41', 'hex'))]],
    ['an error of the handler', [fields('/test.Echo/Refused'), data(1, message('a'))]],
    ['a streaming call', [fields('/test.Echo/Chat'), data(1, message('a'), 0), data(1, message('2 times'))]],
    ['a streaming call that says nothing', [fields('/test.Echo/Chat'), data(1, none)]],
    ['a streaming call that ends with an error', [fields('/test.Echo/Chat'), data(1, message('fail'))]],
    ['a deadline that is not a time', [echo(['grpc-timeout', 'soon']), data(1, message('a'))]],
    ["headers that are nobody's", [echo(['x-any', 'thing'], ['x-any-bin', 'AAA']), data(1, message('a'))]],
  ])('%s', async (_, frames) => {
    const [told, toldByThem] = [await ask(ours.listen, frames), await ask(theirs.listen, frames)];

    expect(told).toEqual(toldByThem);
  });

  it.each([
    ['two messages', [echo(), data(1, Buffer.concat([message('a'), message('b')]))]],
    ['no message', [echo(), data(1, none)]],
    ['no message, by HEADERS alone', [headers(1, callFields(), 0x5)]],
  ])('%s, but for calling a unary method a streaming one', async (_, frames) => {
    const [told, toldByThem] = [await ask(ours.listen, frames), await ask(theirs.listen, frames)];

    expect(told).toEqual({ ...toldByThem, message: toldByThem.message.replace('server streaming', 'unary') });
  });

  it.each([
    ['no content-type', [without('content-type'), data(1, message('a'))]],
    ['another content-type', [without('content-type', ['content-type', 'text/html']), data(1, message('a'))]],
  ])('%s, and what this port speaks', async (_, frames) => {
    const [told, toldByThem] = [await ask(ours.listen, frames), await ask(theirs.listen, frames)];

    expect(told).toEqual({ ...toldByThem, data: 'This port speaks gRPC.\n' });
  });
});

describe('a caller is told more rightly than by grpc-js, for', () => {
  const told = (code: number, text: string): Told => ({
    ...{ httpStatus: '200', status: String(code), message: text, data: '', reset: undefined },
  });

  it.each<[string, Uint8Array[], Told]>([
    [
      'a handler that breaks: nothing of why',
      [fields('/test.Echo/Broken'), data(1, message('a'))],
      told(13, 'Internal error'),
    ],
    [
      'a message that is cut short',
      [echo(), data(1, message('hello').subarray(0, 7))],
      told(13, 'Received a message that is cut short'),
    ],
    [
      'one that is cut short after a whole one',
      [echo(), data(1, Buffer.concat([message('a'), none, Buffer.of(0)]))],
      told(13, 'Received a message that is cut short'),
    ],
    [
      'a message compressed by nothing',
      [echo(), data(1, message('a', 1))],
      told(13, 'Received a message with a wrong compression flag'),
    ],
    [
      'a flag that there is not',
      [echo(), data(1, message('a', 2))],
      told(13, 'Received a message with a wrong compression flag'),
    ],
    [
      'gzip, which is not read here',
      [echo(['grpc-encoding', 'gzip']), data(1, message('a', 1))],
      told(12, 'Received message compressed with unsupported encoding "gzip"'),
    ],
    [
      'a deadline with more than a time in it',
      [echo(['grpc-timeout', 'x1Sy']), data(1, message('a'))],
      told(13, 'Invalid grpc-timeout value "x1Sy"'),
    ],
  ])('%s', async (_, frames, expected) => {
    expect(await ask(ours.listen, frames)).toEqual(expected);
  });

  it('a compressed message: which encodings are known', async () => {
    const client = await ours.connect();
    client.send(echo(['grpc-encoding', 'gzip']), data(1, message('a', 1)));

    expect(await client.outcome(1)).toMatchObject({ headers: { 'grpc-accept-encoding': 'identity' } });
  });

  it.each(['GET', 'PUT', 'OPTIONS', 'HEAD'])('%s, which is not POST', async (verb) => {
    const asked = await ask(ours.listen, [headers(1, [[':method', verb], ...callFields().slice(1)], 0x5)]);

    const body = verb === 'HEAD' ? '' : 'This port speaks gRPC.\n';
    expect(asked).toEqual({
      httpStatus: '405',
      status: undefined,
      message: '',
      data: body,
      reset: undefined,
    });
  });

  it('CONNECT, which has no path', async () => {
    const asked = await ask(ours.listen, [
      headers(
        1,
        [
          [':method', 'CONNECT'],
          [':authority', 'a:1'],
        ],
        0x5,
      ),
    ]);

    expect(asked.httpStatus).toBe('405');
  });
});

describe('a client of grpc-js sees no difference:', () => {
  const asIs = (bytes: Uint8Array) => Buffer.from(bytes);
  const Generic = makeGenericClientConstructor(serviceOf(createTestMethods().methods), 'Echo');
  const clientOf = ({ listen }: { listen: Listen }) =>
    new Generic(formatListen(listen), credentials.createInsecure());
  const clientsOf = () => [clientOf(ours), clientOf(theirs)];

  function unary(client: Client, method: string, content: string, options: object = {}) {
    return new Promise<{ code: number; details: string; answer: string | undefined }>((resolve) => {
      const path = `/test.Echo/${method}`;
      client.makeUnaryRequest(
        path,
        asIs,
        asIs,
        Buffer.from(content),
        new Metadata(),
        options,
        (error, answer) =>
          resolve({ code: error?.code ?? 0, details: error?.details ?? '', answer: answer?.toString() }),
      );
    });
  }

  it.each(['Echo', 'Refused', 'Nothing', 'Large'])('%s', async (method) => {
    const clients = clientsOf();
    const [told, toldByThem] = await Promise.all(clients.map((client) => unary(client, method, '300000')));
    for (const client of clients) client.close();

    expect(told).toEqual(toldByThem);
  });

  it('a thousand calls at once', async () => {
    const client = clientOf(ours);
    const contents = Array.from({ length: 1_000 }, (_, index) => String(index));
    const told = await Promise.all(contents.map((content) => unary(client, 'Echo', content)));
    client.close();

    expect(told.map(({ answer }) => answer)).toEqual(contents);
  });

  it('a call that it cancels, and the next', async () => {
    const client = clientOf(ours);
    const cancelled = new Promise<number | undefined>((resolve) => {
      const asked = client.makeUnaryRequest('/test.Echo/Held', asIs, asIs, Buffer.from('x'), (error) =>
        resolve(error?.code),
      );
      expect
        .poll(() => ours.held.length)
        .toBe(1)
        .then(() => asked.cancel());
    });

    expect(await cancelled).toBe(status.CANCELLED);
    ours.held[0]?.answer('late');
    expect(await unary(client, 'Echo', 'next')).toMatchObject({ answer: 'next' });
    client.close();
  });

  it('a conversation, more than the windows hold', async () => {
    const clients = clientsOf();
    const said = Array.from({ length: 300 }, (_, index) => `${index}`.padEnd(5_000, '.'));
    const answers = await Promise.all(
      clients.map(async (client) => {
        const chat: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
          '/test.Echo/Chat',
          asIs,
          asIs,
        );
        for (const one of said) chat.write(Buffer.from(one));
        chat.end();
        const heard: string[] = [];
        for await (const one of chat) heard.push(one.toString());
        return heard;
      }),
    );
    for (const client of clients) client.close();

    expect(answers).toEqual([said, said]);
  });

  it('a stream whose end waits for what was said before it', async () => {
    const client = await ours.connect();
    client.send(
      frame(frameType.settings, 0, 0, Buffer.from('000400000005', 'hex')),
      fields('/test.Echo/Chat'),
    );
    client.send(data(1, message('hello'), flag.endStream));
    await client.until(() => client.sofar(1).data.length === 5);
    client.send(frame(frameType.windowUpdate, 0, 1, Buffer.from('00000064', 'hex')));

    expect(await client.outcome(1)).toMatchObject({
      data: message('hello'),
      headers: { 'grpc-status': '0' },
    });
  });
});

describe('a deadline', () => {
  const deadline = (content: string, timeout: string) => [
    ...[fields('/test.Echo/Held', ['grpc-timeout', timeout]), data(1, message(content))],
  ];

  it('is kept to the millisecond, and what the handler says after it is not told', async () => {
    const client = await ours.connect();
    client.send(...deadline('late', '200m'), call(3, 'a'));
    await client.outcome(3);
    ours.clock.pass(199);
    const { length } = client.frames;
    client.send(call(5, 'b'));
    await client.outcome(5);
    expect(client.frames.slice(length).filter(({ stream }) => stream === 1)).toEqual([]);
    ours.clock.pass(1);

    expect(await client.outcome(1)).toMatchObject({
      headers: { 'grpc-status': String(status.DEADLINE_EXCEEDED), 'grpc-message': 'Deadline exceeded' },
    });
    ours.held.at(-1)?.answer('too late');
    client.send(call(7, 'c'));
    await client.outcome(7);
    expect(client.sofar(1).data).toHaveLength(0);
  });

  it.each([
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3_000],
    ['4m', 4],
    ['5000u', 5],
    ['6000000n', 6],
    ['0m', 0],
  ])('of %s is %d ms', async (timeout, ms) => {
    // The bound of a call without a deadline is later than each of these, and the connection is kept.
    const server = await createSetting({
      callMaxMs: 2 ** 40,
      keepaliveMs: 2 ** 40,
      connectionAgeMaxMs: 2 ** 40,
      handshakeMaxMs: 2 ** 40,
    });
    const client = await server.connect();
    client.send(...deadline('x', timeout), call(3, 'a'));
    await client.outcome(3);
    if (ms > 0) server.clock.pass(ms - 1);
    client.send(call(5, 'b'));
    await client.outcome(5);
    if (ms > 0) expect(client.sofar(1).isEnded).toBe(false);
    server.clock.pass(1);

    expect(await client.outcome(1)).toMatchObject({ headers: { 'grpc-status': '4' } });
    await server.close();
  });

  it('ends a request that never comes to its end, and a conversation', async () => {
    const client = await ours.connect();
    client.send(
      fields('/test.Echo/Chat', ['grpc-timeout', '1S']),
      headers(3, callFields(undefined, [['grpc-timeout', '1S']])),
    );
    client.send(call(5, 'a'));
    await client.outcome(5);
    ours.clock.pass(1_000);

    expect([await client.outcome(1), await client.outcome(3)]).toMatchObject([
      { headers: { 'grpc-status': '4' } },
      { headers: { 'grpc-status': '4' } },
    ]);
    expect(ours.chats.at(-1)).toBe('cancelled');
  });
});
