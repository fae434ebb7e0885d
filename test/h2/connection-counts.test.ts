import { expect, it } from 'vitest';
import { frame, frameType } from '../../src/h2/frame.ts';
import type { H2ListenerOptions } from '../../src/h2/listener.ts';
import {
  type CallRefusal,
  type CloseReason,
  createConnectionCounts,
} from '../../src/telemetry/connection-counts.ts';
import { until } from '../real/until.ts';
import { call, callFields, data, headers, message, type RawClient } from './raw-client.ts';
import { createSetting, type Setting } from './setting.ts';

async function counting(bounds: NonNullable<H2ListenerOptions['bounds']> = {}) {
  const counts = createConnectionCounts();
  const server = await createSetting(bounds, { counts });
  const closed = () => Object.entries(counts.closed).filter(([, count]) => count > 0);
  return { server, counts, closed };
}

/** The server has read what was sent before this. */
async function settle(client: RawClient, id: number): Promise<void> {
  client.send(call(id, 'settled'));
  await client.outcome(id);
}

const ping = frame(frameType.ping, 0, 0, Buffer.alloc(8));
type End = (server: Setting, client: RawClient) => unknown;

it.each<[why: CloseReason, end: End, bounds?: NonNullable<H2ListenerOptions['bounds']>]>([
  ['peer', (_, client) => client.close()],
  ['age', (server) => server.clock.pass(1_100), { connectionAgeMaxMs: 1_000, connectionGraceMs: 10 }],
  ['drain', (server) => void server.listener.close(0)],
  ['silent', (server) => server.clock.pass(9_000), { keepaliveMs: 1_000, pingMaxMs: 2_000 }],
  [
    'flood',
    (_, client) => client.send(...Array(200).fill(ping)),
    { idleFramesMax: 50, idleFramesPerCall: 0 },
  ],
  ['protocol', (_, client) => client.send(frame(frameType.data, 0, 0, Buffer.alloc(1)))],
])('a connection that ends is counted once, by why: %s', async (why, end, bounds) => {
  const { server, counts, closed } = await counting(bounds);
  const client = await server.connect();
  await settle(client, 1);
  expect([counts.open, closed()]).toEqual([1, []]);
  end(server, client);
  await until('it is counted', () => {
    server.clock.pass(2_000);
    return counts.open === 0;
  });
  await expect.poll(closed).toEqual([[why, 1]]);
});

it('one that never says a word, one too many, and one that makes room are counted by that', async () => {
  const { server, counts, closed } = await counting({ connectionsMax: 1, handshakeMaxMs: 500 });
  const mute = await server.connect(false);
  server.clock.pass(1_000);
  await mute.ended();
  await expect.poll(closed).toEqual([['handshake', 1]]);
  const idle = await server.connect();
  await settle(idle, 1);
  const surplus = await server.connect();
  await surplus.ended();
  await expect.poll(closed).toEqual([
    ['limit', 1],
    ['handshake', 1],
  ]);
  server.clock.pass(6_000);
  const next = await server.connect();
  await settle(next, 1);
  await expect.poll(closed).toEqual([
    ['evicted', 1],
    ['limit', 1],
    ['handshake', 1],
  ]);
  expect(counts.open).toBe(1);
  await server.close();
});

it.each<
  [why: CallRefusal, ask: (client: RawClient) => void, bounds: NonNullable<H2ListenerOptions['bounds']>]
>([
  ['streams', (client) => client.send(headers(1), headers(3)), { streamsMax: 1 }],
  [
    'headers',
    (client) => client.send(headers(1, [...callFields('/test.Echo/Echo'), ['x', 'y'.repeat(2_000)]])),
    { headerListBytesMax: 1_000 },
  ],
  ['bytes', (client) => client.send(call(1, 'x'.repeat(100))), { requestBytesMax: 10 }],
  [
    'time',
    (client) => client.send(headers(1, callFields('/test.Echo/Held')), data(1, message('x'))),
    { callMaxMs: 1_000 },
  ],
])('a call that goes past a bound is counted by which: %s', async (why, ask, bounds) => {
  const { server, counts } = await counting(bounds);
  const client = await server.connect();
  ask(client);
  await until('it is counted', () => {
    if (why !== 'time' || server.held.length > 0) server.clock.pass(1_000);
    return Object.values(counts.refused).some((count) => count > 0);
  });
  expect(counts.refused).toEqual({ ...createConnectionCounts().refused, [why]: 1 });
  await server.close();
});
