import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorCode, flag, frame, frameType, rstStream, setting, windowUpdate } from '../../src/h2/frame.ts';
import { callFields, data, headers, message, type RawClient, settings } from './raw-client.ts';
import { createSetting, type Setting } from './setting.ts';

let server: Setting;

beforeAll(async () => {
  server = await createSetting();
});
afterAll(() => server.close());

const chat = (id: number) => headers(id, callFields('/test.Echo/Chat'));
const credits = (client: RawClient, stream: number) =>
  client.frames
    .filter((one) => one.type === frameType.windowUpdate && one.stream === stream)
    .reduce((sum, { payload }) => sum + payload.readUInt32BE(), 0);

/** The server has read all that was sent before this. */
async function settle(client: RawClient): Promise<void> {
  const count = client.frames.filter(({ type }) => type === frameType.ping).length;
  client.send(frame(frameType.ping, 0, 0, Buffer.alloc(8)));
  await client.until(() => client.frames.filter(({ type }) => type === frameType.ping).length > count);
}

describe('a streaming handler', () => {
  it('answers before its caller has ended, and each message as it comes', async () => {
    const client = await server.connect();
    client.send(chat(1), data(1, message('one'), 0));
    await client.until(() => client.sofar(1).data.equals(message('one')));
    client.send(data(1, message('two')));

    const { data: heard, headers: told } = await client.outcome(1);
    expect(heard).toEqual(Buffer.concat([message('one'), message('two')]));
    expect(told).toMatchObject({ ':status': '200', 'grpc-status': '0' });
  });

  it('that pauses is told nothing more, and its caller may send no more than a window, until it goes on', async () => {
    const client = await server.connect();
    client.send(settings([setting.initialWindow, 2 ** 24]), windowUpdate(0, 2 ** 24));
    client.send(chat(1), data(1, message('pause'), 0));
    const said = Array.from({ length: 25 }, (_, index) => message(String(index).padStart(10_000, '.')));
    client.send(...said.map((one) => data(1, one, 0)));
    await settle(client);
    expect(client.sofar(1).data).toHaveLength(0);
    expect(credits(client, 1)).toBe(0);

    server.resumes.pop()?.();
    await client.until(() => client.sofar(1).data.length === 25 * 10_005);
    expect(client.sofar(1).data.equals(Buffer.concat(said))).toBe(true);
    expect(credits(client, 1)).toBeGreaterThan(200_000);
    client.send(data(1, message('end')));
    expect(await client.outcome(1)).toMatchObject({ headers: { 'grpc-status': '0' } });
  });

  it('that pauses again goes on from there, and hears of the end after all that came before it', async () => {
    const client = await server.connect();
    client.send(chat(1), data(1, Buffer.concat(['pause', 'a', 'pause', 'b'].map((one) => message(one)))));
    await settle(client);
    expect(client.sofar(1)).toMatchObject({ data: Buffer.alloc(0), isEnded: false });
    server.resumes.pop()?.();
    await client.until(() => client.sofar(1).data.equals(message('a')));
    expect(client.sofar(1).isEnded).toBe(false);
    server.resumes.pop()?.();

    const { data: heard } = await client.outcome(1);
    expect(heard).toEqual(Buffer.concat([message('a'), message('b')]));
  });

  it('that pauses ends the stream of whoever sends more than the window', async () => {
    const client = await server.connect();
    client.send(chat(1), data(1, message('pause'), 0));
    const most = Array.from({ length: 17 }, () => data(1, Buffer.alloc(16_384), 0));
    client.send(...most);

    expect(await client.outcome(1)).toMatchObject({ reset: errorCode.flowControl });
  });

  it('is told once when its caller resets the stream', async () => {
    const client = await server.connect();
    const before = server.chats.length;
    client.send(chat(1), rstStream(1, errorCode.cancel), rstStream(1, errorCode.cancel));
    await settle(client);

    expect(server.chats.slice(before)).toEqual(['cancelled']);
  });

  it('ends its stream with an error at once, whatever waits to be sent', async () => {
    const client = await server.connect();
    client.send(settings([setting.initialWindow, 6]), chat(1), data(1, message('3 times'), 0));
    await client.until(() => client.sofar(1).data.length === 6);
    client.send(data(1, message('fail'), 0));

    expect(await client.outcome(1)).toMatchObject({
      headers: { 'grpc-status': '5', 'grpc-message': 'as told' },
    });
    expect(client.sofar(1).data).toHaveLength(6);
  });

  it('says what its caller reads slowly, in order, and nothing of other streams waits for it', async () => {
    const client = await server.connect();
    client.send(
      settings([setting.initialWindow, 1_000]),
      chat(1),
      data(1, message(`30 times ${'x'.repeat(100)}`), 0),
    );
    await client.until(() => client.sofar(1).data.length === 1_000);
    client.send(chat(3), data(3, message('quick')));
    expect(await client.outcome(3)).toMatchObject({ data: message('quick') });
    client.send(data(1, Buffer.alloc(0), flag.endStream));
    for (let sent = 0; sent < 4; sent++) client.send(windowUpdate(1, 700));

    expect((await client.outcome(1)).data).toHaveLength(30 * 114);
  });
});
