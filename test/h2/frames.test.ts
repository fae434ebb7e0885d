import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorCode, flag, frame, frameType, preface, setting, windowUpdate } from '../../src/h2/frame.ts';
import { block, call, callFields, data, type Fields, headers, message, settings } from './raw-client.ts';
import { createSetting, type Setting } from './setting.ts';

let server: Setting;

beforeAll(async () => {
  server = await createSetting();
});
afterAll(() => server.close());

const uint32 = (value: number) => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
const none = Buffer.alloc(0);
const open = headers(1);
const callBlock = block(callFields());
const { protocol, frameSize, flowControl, streamClosed, compression } = errorCode;

describe('a connection ends with the error of its peer:', () => {
  it.each<[string, number, Buffer[]]>([
    ['DATA on stream 0', protocol, [data(0, none)]],
    ['DATA on a stream that is idle', protocol, [data(1, none)]],
    ['HEADERS on stream 0', protocol, [headers(0)]],
    ['HEADERS on a stream with an even number', protocol, [headers(2)]],
    ['HEADERS on a lower stream than before', streamClosed, [call(5, ''), headers(3)]],
    ['HEADERS on a stream that is closed', streamClosed, [call(1, ''), headers(1)]],
    ['padding that is longer than DATA', protocol, [open, frame(frameType.data, 0x9, 1, Buffer.of(3, 0, 0))]],
    ['padding that is longer than HEADERS', protocol, [frame(frameType.headers, 0xd, 1, Buffer.of(9, 0))]],
    ['padded DATA that are empty', frameSize, [open, frame(frameType.data, 0x9, 1, none)]],
    ['HEADERS with half a priority', frameSize, [frame(frameType.headers, 0x25, 1, Buffer.of(0, 0))]],
    ['a frame that is too long', frameSize, [open, data(1, Buffer.alloc(16_385))]],
    ['a header block that another frame interrupts', protocol, [headers(1, callFields(), 0), data(1, none)]],
    ['a block continued on another stream', protocol, [headers(1, [], 0), frame(9, 4, 3, none)]],
    ['CONTINUATION of nothing', protocol, [frame(frameType.continuation, 4, 1, callBlock)]],
    ['CONTINUATION of a block that has ended', protocol, [open, frame(frameType.continuation, 4, 1, none)]],
    ['an unknown frame in a header block', protocol, [headers(1, [], 0), frame(0x42, 0, 1, none)]],
    ['PRIORITY of stream 0', protocol, [frame(frameType.priority, 0, 0, Buffer.alloc(5))]],
    ['PRIORITY of a wrong length', frameSize, [frame(frameType.priority, 0, 1, Buffer.alloc(4))]],
    [
      'PRIORITY of a stream over itself',
      protocol,
      [frame(frameType.priority, 0, 1, Buffer.of(0, 0, 0, 1, 9))],
    ],
    ['RST_STREAM of stream 0', protocol, [frame(frameType.rstStream, 0, 0, uint32(0))]],
    ['RST_STREAM of a stream that is idle', protocol, [frame(frameType.rstStream, 0, 1, uint32(0))]],
    ['RST_STREAM of a wrong length', frameSize, [open, frame(frameType.rstStream, 0, 1, Buffer.alloc(3))]],
    ['SETTINGS on a stream', protocol, [frame(frameType.settings, 0, 1, none)]],
    ['SETTINGS that are cut short', frameSize, [frame(frameType.settings, 0, 0, Buffer.alloc(5))]],
    ['an acknowledgement that has settings', frameSize, [frame(frameType.settings, 1, 0, Buffer.alloc(6))]],
    ['ENABLE_PUSH of 2', protocol, [settings([setting.enablePush, 2])]],
    ['a window that is too large', flowControl, [settings([setting.initialWindow, 2 ** 31])]],
    ['a frame size that is too small', protocol, [settings([setting.frameMax, 16_383])]],
    ['a frame size that is too large', protocol, [settings([setting.frameMax, 2 ** 24])]],
    ['PUSH_PROMISE', protocol, [frame(frameType.pushPromise, 4, 1, uint32(2))]],
    ['PING on a stream', protocol, [frame(frameType.ping, 0, 1, Buffer.alloc(8))]],
    ['PING of a wrong length', frameSize, [frame(frameType.ping, 0, 0, Buffer.alloc(6))]],
    ['GOAWAY on a stream', protocol, [frame(frameType.goaway, 0, 1, Buffer.alloc(8))]],
    ['GOAWAY that is cut short', frameSize, [frame(frameType.goaway, 0, 0, Buffer.alloc(7))]],
    ['WINDOW_UPDATE of 0', protocol, [windowUpdate(0, 0)]],
    ['WINDOW_UPDATE of a wrong length', frameSize, [frame(frameType.windowUpdate, 0, 0, Buffer.alloc(3))]],
    ['WINDOW_UPDATE of a stream that is idle', protocol, [windowUpdate(1, 1)]],
    ["a connection's window over 2^31-1", flowControl, [windowUpdate(0, 2 ** 31 - 1)]],
    [
      'streams whose windows grow over 2^31-1 by SETTINGS',
      flowControl,
      [open, windowUpdate(1, 2 ** 31 - 1 - 65_535), settings([setting.initialWindow, 65_536])],
    ],
    ['an index that no table has', compression, [frame(frameType.headers, 5, 1, Buffer.of(0xc6))]],
    ['the index 0', compression, [frame(frameType.headers, 5, 1, Buffer.of(0x80))]],
    ['a table that is too large', compression, [frame(1, 5, 1, Buffer.of(0x3f, 0xe2, 0x1f, 0x82))]],
    ['a table size that changes inside a block', compression, [frame(1, 5, 1, Buffer.of(0x82, 0x20))]],
    ['a header block that is cut short', compression, [frame(1, 5, 1, Buffer.of(0x00, 0x05, 0x61))]],
    ['a number without end', compression, [frame(1, 5, 1, Buffer.from('ffffffffffffff', 'hex'))]],
    ['Huffman code that ends early', compression, [frame(1, 5, 1, Buffer.from('00818eff8561', 'hex'))]],
    [
      'Huffman code with its own end in it',
      compression,
      [frame(1, 5, 1, Buffer.from('000161 84ffffffff'.replace(' ', ''), 'hex'))],
    ],
    ['Huffman code padded by zeros', compression, [frame(1, 5, 1, Buffer.from('0001618118', 'hex'))]],
    ['Huffman code padded by a byte', compression, [frame(1, 5, 1, Buffer.from('000161821fff', 'hex'))]],
  ])('%s', async (_, code, frames) => {
    const client = await server.connect();
    client.send(...frames);

    expect(await client.ended()).toBe(code);
    expect(await server.serves()).toBe(true);
  });

  it('no preface', async () => {
    const client = await server.connect(false);
    client.send(Buffer.from('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n'));

    expect(await client.ended()).toBe(protocol);
  });

  it('no SETTINGS after the preface', async () => {
    const client = await server.connect(false);
    client.send(preface, open);

    expect(await client.ended()).toBe(protocol);
  });
});

describe('a stream ends with the error of its peer, and the connection goes on:', () => {
  const withFields = (...fields: Fields) => [headers(1, fields, 0x5)];
  const without = (left: string) => withFields(...callFields().filter(([name]) => name !== left));
  const extra = (...more: Fields) => withFields(...callFields(undefined, more));
  const secondHeaders = frame(frameType.headers, flag.endHeaders, 1, none);

  it.each<[string, number, Buffer[]]>([
    [
      'HEADERS that depend on themselves',
      protocol,
      [frame(1, 0x24, 1, Buffer.concat([uint32(1), Buffer.of(9), callBlock]))],
    ],
    [
      'DATA after their end',
      streamClosed,
      [headers(1, callFields('/test.Echo/Held')), data(1, message('a')), data(1, none)],
    ],
    [
      'HEADERS after their end',
      streamClosed,
      [headers(1, callFields('/test.Echo/Held')), data(1, message('a')), headers(1)],
    ],
    ['DATA on a closed stream', streamClosed, [call(1, 'a'), data(1, none)]],
    ['a window over 2^31-1', flowControl, [open, windowUpdate(1, 2 ** 31 - 1)]],
    ['WINDOW_UPDATE of 0', protocol, [open, windowUpdate(1, 0)]],
    ['second HEADERS that do not end it', protocol, [open, secondHeaders]],
    ['PRIORITY of a wrong length', frameSize, [open, frame(frameType.priority, 0, 1, Buffer.alloc(4))]],
    ['pseudo-headers in trailers', protocol, [open, headers(1, [[':path', '/']], 0x5)]],
    ['no method', protocol, without(':method')],
    ['no scheme', protocol, without(':scheme')],
    ['no path', protocol, without(':path')],
    [
      'an empty path',
      protocol,
      withFields([':path', ''], ...callFields().filter(([name]) => name !== ':path')),
    ],
    ['a path that does not begin with a slash', protocol, [headers(1, callFields('test.Echo/Echo'), 0x5)]],
    ['two methods', protocol, withFields([':method', 'POST'], ...callFields())],
    ['two paths', protocol, withFields([':path', '/a'], ...callFields())],
    ['a pseudo-header after others', protocol, extra([':authority', 'b'])],
    ['an unknown pseudo-header', protocol, withFields([':test', 'a'], ...callFields())],
    ['the pseudo-header of an answer', protocol, withFields([':status', '200'], ...callFields())],
    ['a name in upper case', protocol, extra(['X-Test', 'a'])],
    ['a name with a space', protocol, extra(['x test', 'a'])],
    ['an empty name', protocol, extra(['', 'a'])],
    ['a name with a control character', protocol, extra(['x\u0000', 'a'])],
    ['a name beyond ASCII', protocol, extra(['x\u00e4', 'a'])],
    ['a line feed in a value', protocol, extra(['x', 'a\nb'])],
    ['a carriage return in a value', protocol, extra(['x', 'a\rb'])],
    ['a zero in a value', protocol, extra(['x', 'a\u0000b'])],
    ['a delete in a value', protocol, extra(['x', 'a\u007fb'])],
    ['a space at the start of a value', protocol, extra(['x', ' a'])],
    ['a tab at the end of a value', protocol, extra(['x', 'a\t'])],
    ['connection', protocol, extra(['connection', 'keep-alive'])],
    ['keep-alive', protocol, extra(['keep-alive', '1'])],
    ['proxy-connection', protocol, extra(['proxy-connection', 'close'])],
    ['transfer-encoding', protocol, extra(['transfer-encoding', 'chunked'])],
    ['upgrade', protocol, extra(['upgrade', 'h2c'])],
    ['te that is not trailers', protocol, extra(['te', 'gzip'])],
    ['a content-length that is no number', protocol, extra(['content-length', '-1'])],
    ['two of it', protocol, extra(['content-length', '0'], ['content-length', '0'])],
    [
      'more of it than comes',
      protocol,
      [headers(1, callFields(undefined, [['content-length', '7']])), data(1, message('a'))],
    ],
    [
      'less of it than comes',
      protocol,
      [headers(1, callFields(undefined, [['content-length', '5']])), data(1, message('a'))],
    ],
    [
      'more of it than comes, to no gRPC',
      protocol,
      [headers(1, [...callFields().slice(0, 3), ['content-length', '7']]), data(1, none)],
    ],
    ['headers that are too many', errorCode.enhanceYourCalm, [frame(1, 0x5, 1, bomb())]],
  ])('%s', async (_, code, frames) => {
    const client = await server.connect();
    client.send(...frames);

    expect(
      await client.until(() =>
        client.frames.findLast(({ type, stream }) => type === frameType.rstStream && stream === 1),
      ),
    ).toMatchObject({ payload: uint32(code) });
    client.send(call(3, 'after'));
    expect(await client.outcome(3)).toMatchObject({ data: message('after') });
  });
});

/** A block of 4 KB that stands for 80 KB of fields: one of them goes into the table, and is named many times. */
function bomb(): Buffer {
  const [, ...value] = block([['', 'y'.repeat(3_900)]]).subarray(1);
  return Buffer.concat([callBlock, Buffer.of(0x40, 1, 0x78), Buffer.from(value), Buffer.alloc(20, 0xbe)]);
}

describe('a connection', () => {
  it('takes a call whose header block comes in pieces, with padding and a priority', async () => {
    const client = await server.connect();
    const priority = Buffer.concat([
      Buffer.of(2),
      uint32(0),
      Buffer.of(200),
      callBlock.subarray(0, 7),
      Buffer.alloc(2),
    ]);
    client.send(frame(1, 0x28, 1, priority), frame(9, 0, 1, none), frame(9, 4, 1, callBlock.subarray(7)));
    client.send(frame(0, 0x9, 1, Buffer.concat([Buffer.of(3), message('hello'), Buffer.alloc(3)])));

    expect(await client.outcome(1)).toMatchObject({
      data: message('hello'),
      headers: { 'grpc-status': '0' },
    });
  });

  it('ignores priorities, unknown frames, unknown settings and unknown flags', async () => {
    const client = await server.connect();
    client.send(
      frame(frameType.priority, 0, 7, Buffer.of(0, 0, 0, 1, 9)),
      frame(0x42, 0xff, 0, Buffer.alloc(9)),
    );
    client.send(
      frame(0x42, 0, 5, none),
      settings([0x99, 7]),
      frame(frameType.ping, 0x16, 0, Buffer.alloc(8)),
    );
    client.send(call(1, 'hello'));

    expect(await client.outcome(1)).toMatchObject({ data: message('hello') });
  });

  it('acknowledges SETTINGS and answers a PING with what it carried', async () => {
    const client = await server.connect();
    client.send(frame(frameType.ping, 0, 0, Buffer.from('12345678')));

    const pong = await client.frame(frameType.ping);
    expect(pong).toMatchObject({ flags: flag.ack, payload: Buffer.from('12345678') });
    expect(client.frames).toContainEqual({
      type: frameType.settings,
      flags: flag.ack,
      stream: 0,
      payload: none,
    });
  });

  it('ignores what arrives on a stream that it has reset', async () => {
    const client = await server.connect();
    client.send(headers(1, callFields('/no/such')));
    await client.until(() => client.sofar(1).reset !== undefined);
    client.send(data(1, message('late'), 0), headers(1, [['x', 'trailer']], 0x5), windowUpdate(1, 5));
    client.send(call(3, 'after'));

    expect(await client.outcome(3)).toMatchObject({ data: message('after') });
    expect(client.sofar(1)).toMatchObject({ headers: { 'grpc-status': '12' }, reset: errorCode.noError });
  });

  it('says that it no longer has a table when the peer makes its own smaller', async () => {
    const client = await server.connect();
    client.send(settings([setting.headerTableSize, 0]), call(1, 'a'), call(3, 'b'));
    await client.outcome(3);

    const blocks = client.frames
      .filter(({ type }) => type === frameType.headers)
      .map(({ payload }) => payload[0]);
    expect(blocks).toEqual([0x20, 0x00, 0x88, 0x00]);
  });
});

describe('answers heed the windows of the peer', () => {
  it("a stream's window, which may be changed and become negative", async () => {
    const client = await server.connect();
    client.send(settings([setting.initialWindow, 10]), call(1, 'x'.repeat(20)));
    await client.until(() => client.sofar(1).data.length === 10);
    client.send(settings([setting.initialWindow, 3]), windowUpdate(1, 8), frame(6, 0, 0, Buffer.alloc(8)));
    await client.frame(frameType.ping);
    expect(client.sofar(1).data).toHaveLength(11);
    client.send(settings([setting.initialWindow, 100]));

    expect(await client.outcome(1)).toMatchObject({ data: message('x'.repeat(20)), isEnded: true });
  });

  it("the connection's window, shared by its streams", async () => {
    const client = await server.connect();
    client.send(settings([setting.initialWindow, 2 ** 20]), call(1, '60000', '/test.Echo/Large'));
    client.send(call(3, '60000', '/test.Echo/Large'));
    await client.until(() => client.sofar(1).isEnded && client.sofar(3).data.length === 65_535 - 60_005);
    client.send(windowUpdate(0, 2 ** 20));

    expect((await client.outcome(3)).data).toHaveLength(60_005);
  });

  it('frames no longer than any peer takes, whatever this one allows', async () => {
    const client = await server.connect();
    client.send(settings([setting.frameMax, 2 ** 20]), call(1, '40000', '/test.Echo/Large'));
    await client.outcome(1);

    const lengths = client.frames
      .filter(({ type }) => type === frameType.data)
      .map(({ payload }) => payload.length);
    expect(Math.max(...lengths)).toBe(16_384);
    expect(client.sofar(1).data).toHaveLength(40_005);
  });
});
