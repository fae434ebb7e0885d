import { once } from 'node:events';
import { connect, constants, createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { startEcho } from '../../real/echo.ts';
import { startEnvoy } from '../../real/envoy.ts';
import { type Address, startPostern } from '../../real/postern.ts';
import { makeKey, send } from '../stack.ts';

const limit = 1_000;

it('spends once for each try of a Check whose answer is lost on its way to Envoy, four times at most', async () => {
  const [postern, echo] = await Promise.all([
    startPostern({ POSTERN_STORE: 'sqlite::memory:' }),
    startEcho(),
  ]);
  const line = await startLossyLine(postern.check);
  // The file that ships, with its retry policy.
  const envoy = await startEnvoy({
    ...{ checkAddress: line.address, upstreamAddress: echo.address, checkTimeoutMs: 15_000 },
  });
  onTestFinished(async () => {
    await envoy.stop();
    await Promise.all([line.stop(), postern.stop(), echo.stop()]);
  });
  // A window of which no test sees the end.
  const { key } = await makeKey(postern, { rate_limit: { limit, window: '2400h' } });
  const ask = () => send(envoy.url, '/', [['authorization', `Bearer ${key}`]]);
  const left = async () => Number((await ask()).headers['x-ratelimit-remaining']);

  expect(await left()).toBe(limit - 1);
  line.loses = 2;
  // Two tries whose answers are lost, and one whose answer arrives: no request fails, and three units are spent.
  expect(await left()).toBe(limit - 4);
  line.loses = Number.POSITIVE_INFINITY;
  expect((await ask()).status).toBe(503);
  line.loses = 0;
  expect(await left()).toBe(limit - 9);
  expect(line.tries).toBe(1 + 3 + 4 + 1);
  // Nothing says of a try that it is not the first: it cannot be told from another request.
  expect(line.metadata.size).toBe(1);
});

/** Between Envoy and Postern: hands Checks on, and breaks as many as it is told to off once Postern has answered. */
async function startLossyLine({ host, port }: Address) {
  const postern = connect(`http://${host}:${port}`);
  const server = createServer();
  const line = { loses: 0, tries: 0, metadata: new Set<string>() };
  const handOn = async (stream: ServerHttp2Stream, path: string) => {
    const asked = postern.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
    });
    asked.end(await buffer(stream));
    const ended = once(asked, 'trailers');
    const answer = await buffer(asked);
    await ended;
    line.tries++;
    if (line.loses > 0) {
      line.loses--;
      return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(answer);
  };
  server.on('stream', (stream, headers) => {
    line.metadata.add(JSON.stringify(headers));
    stream.on('error', () => {});
    void handOn(stream as ServerHttp2Stream, String(headers[':path'])).catch((error: Error) =>
      stream.destroy(error),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address: Address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  return Object.assign(line, {
    address,
    async stop() {
      postern.destroy();
      server.close();
    },
  });
}
