import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { frameType, setting, streamIdMax, windowUpdate } from '../../src/h2/frame.ts';
import { createH2Listener } from '../../src/h2/listener.ts';
import { createConnectionCounts } from '../../src/telemetry/connection-counts.ts';
import { type Authority, type CertificateFiles, createAuthority } from '../real/certificates.ts';
import { call, message, RawClient, settings } from './raw-client.ts';
import { createTestMethods, FakeClock } from './setting.ts';

const local = [{ type: 'dns', value: 'localhost' }] as const;
const files = ({ cert, key }: CertificateFiles) => ({ cert: readFileSync(cert), key: readFileSync(key) });

async function serve(secure: Parameters<typeof createH2Listener>[1] & object) {
  const { methods, held } = createTestMethods();
  const listener = createH2Listener(methods, secure);
  const listen = await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  onTestFinished(() => listener.close(0));
  return { listener, listen, held, port: listen.kind === 'tcp' ? listen.port : 0 };
}

/** Resolves when the handshake is over; rejects when the socket closes before. */
function shakeHands(port: number, authority: Authority, more: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const ca = readFileSync(authority.cert);
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca,
      ALPNProtocols: ['h2'],
      ...more,
    });
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed')));
  });
}

async function speak(port: number, authority: Authority, more?: ConnectionOptions): Promise<RawClient> {
  const socket = await shakeHands(port, authority, more);
  return RawClient.connect({ kind: 'tcp', host: '', port }, true, socket);
}

describe('over TLS', () => {
  it('a call is answered, a long one too', async () => {
    const authority = await createAuthority();
    const { port } = await serve({ secure: files(await authority.issue(local)) });
    const client = await speak(port, authority);
    client.send(settings([setting.initialWindow, 2 ** 24]), windowUpdate(0, 2 ** 24));
    client.send(call(1, 'hello'), call(3, '3000000', '/test.Echo/Large'));

    expect(await client.outcome(1)).toMatchObject({ data: message('hello') });
    expect((await client.outcome(3)).data).toHaveLength(3_000_005);
    client.close();
  });

  it('connections are counted, those whose handshake fails by that', async () => {
    const authority = await createAuthority();
    const counts = createConnectionCounts();
    const { port } = await serve({ secure: files(await authority.issue(local)), counts });
    const client = await speak(port, authority);
    client.send(call(1, 'hello'));
    await client.outcome(1);
    expect(counts.open).toBe(1);
    // Plain text, a client that leaves in the middle, and one that speaks something else.
    const plain = await RawClient.connect({ kind: 'tcp', host: '127.0.0.1', port });
    await plain.ended();
    await expect.poll(() => counts.closed.handshake).toBe(1);
    const mute = await RawClient.connect({ kind: 'tcp', host: '127.0.0.1', port }, false);
    mute.close();
    await expect.poll(() => counts.closed.handshake).toBe(2);
    await shakeHands(port, authority, { ALPNProtocols: ['http/1.1'] }).catch(() => {});
    await expect.poll(() => counts.closed.handshake).toBe(3);
    expect(counts.open).toBe(1);
    client.close();
    await expect.poll(() => counts.open).toBe(0);
    expect(counts.closed).toEqual({ ...createConnectionCounts().closed, handshake: 3, peer: 1 });
  });

  it('a client of grpc-js is served', async () => {
    const authority = await createAuthority();
    const { port } = await serve({ secure: files(await authority.issue(local)) });
    const client = new Client(`localhost:${port}`, credentials.createSsl(readFileSync(authority.cert)));
    const asIs = (bytes: Buffer) => bytes;
    const answer = await new Promise((resolve, reject) => {
      client.makeUnaryRequest('/test.Echo/Echo', asIs, asIs, Buffer.from('hi'), (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      );
    });
    client.close();

    expect(answer).toEqual(Buffer.from('hi'));
  });

  it.each([
    ['another protocol', ['http/1.1']],
    ['no protocol', undefined],
  ])('a client that offers %s is denied', async (_, ALPNProtocols) => {
    const authority = await createAuthority();
    const { port } = await serve({ secure: files(await authority.issue(local)) });

    const client = speak(port, authority, { ALPNProtocols }).then((one) => one.ended());
    expect(await client.catch(() => undefined)).toBeUndefined();
  });

  it('a drain loses no call', async () => {
    const authority = await createAuthority();
    const { port, listener } = await serve({ secure: files(await authority.issue(local)) });
    const client = await speak(port, authority);
    client.send(call(1, 'a'));
    await client.outcome(1);
    const closed = listener.close(5_000);
    client.send(call(3, 'b'));
    await client.frame(frameType.goaway, ({ payload }) => payload.readUInt32BE() === streamIdMax);

    expect(await client.outcome(3)).toMatchObject({ data: message('b') });
    client.close();
    await closed;
  });

  it('whoever does not shake hands is closed', async () => {
    const authority = await createAuthority();
    const secure = files(await authority.issue(local));
    const { listen } = await serve({ secure, bounds: { handshakeMaxMs: 50 } });
    const silent = await RawClient.connect(listen, false);

    expect(await silent.ended()).toBeUndefined();
  });

  it('a drain does not wait for a handshake, but for the calls of those who have shaken hands', async () => {
    const authority = await createAuthority();
    const secure = files(await authority.issue(local));
    const clock = new FakeClock();
    const { port, listen, held, listener } = await serve({ secure, clock });
    const silent = await RawClient.connect(listen, false);
    const client = await speak(port, authority);
    client.send(call(1, 'x', '/test.Echo/Held'));
    await expect.poll(() => held.length).toBe(1);

    const drained = listener.close(60_000);
    clock.pass(1_500);
    held[0]?.answer('done');
    expect(await client.outcome(1)).toMatchObject({ data: message('done') });
    client.close();
    await drained;
    expect(await silent.ended()).toBeUndefined();
  });
});

describe('with an authority of clients', () => {
  it('only clients with a certificate of it are served', async () => {
    const [ours, others] = [await createAuthority(), await createAuthority()];
    const secure = { ...files(await ours.issue(local)), ca: readFileSync(ours.cert) };
    const { port } = await serve({ secure });
    const client = await speak(port, ours, files(await ours.issue([{ type: 'dns', value: 'envoy' }])));
    client.send(call(1, 'hello'));
    expect(await client.outcome(1)).toMatchObject({ data: message('hello') });
    client.close();

    const stranger = files(await others.issue([{ type: 'dns', value: 'envoy' }]));
    for (const shown of [{}, stranger]) {
      const refused = speak(port, ours, shown).then((one) => one.outcome(1));
      await expect(refused).rejects.toThrow();
    }
  });
});

it('a new certificate is shown from then on, and nobody is cut off', async () => {
  const authority = await createAuthority();
  const { port, listener } = await serve({ secure: files(await authority.issue(local)) });
  const before = await shakeHands(port, authority);
  const old = await RawClient.connect({ kind: 'tcp', host: '', port }, true, before);
  const renewed = files(await authority.issue(local));
  listener.setSecureContext(renewed);
  const after = await shakeHands(port, authority);

  const shown = new X509Certificate(renewed.cert).fingerprint256;
  expect(after.getPeerX509Certificate()?.fingerprint256).toBe(shown);
  expect(before.getPeerX509Certificate()?.fingerprint256).not.toBe(shown);
  old.send(call(1, 'still'));
  expect(await old.outcome(1)).toMatchObject({ data: message('still') });
  old.close();
  after.destroy();
});
