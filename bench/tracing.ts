// What traces cost: of one Check from bytes to bytes, and of the header block that it comes with. See docs/tracing.md.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { type AddressInfo, createServer } from 'node:net';
import { flag, frame, frameType, settingsFrame } from '../src/h2/frame.ts';
import { FrameReader } from '../src/h2/frame-reader.ts';
import { HeadReader } from '../src/h2/headers/head.ts';
import { Preface } from '../src/h2/preface.ts';
import type { RpcMethods } from '../src/net/rpc.ts';
import { createSpanExport } from '../src/otel/span-export.ts';
import { createTracing } from '../src/tracing/tracing.ts';
import type { Sampling, TraceHeaders } from '../src/tracing/tracing-context.ts';
import { benchKeys } from './common/keys.ts';
import { requestsOf } from './decision/request.ts';
import { measure, spread, table } from './decision/rounds.ts';
import { createSetting } from './decision/setting.ts';

const bounds = { rounds: 7, checks: 50_000 };
/** Of one connection, and connections in a round. */
const [blocksCount, blockRepeats] = [1_000, 200];
const checkPath = '/envoy.service.auth.v3.Authorization/Check';
const methods: RpcMethods = new Map([[checkPath, { kind: 'unary', handle: (bytes) => bytes }]]);
/** Takes what it is sent, in a process of its own. */
const collector = `require('node:http').createServer((q, r) => { q.resume(); q.on('end', () => r.end()); })
  .listen(0, '127.0.0.1', function () { process.stdout.write(String(this.address().port)); });`;

const child = spawn(process.execPath, ['-e', collector], { stdio: ['ignore', 'pipe', 'inherit'] });
const [port] = await once(child.stdout, 'data');
const { tracer, close } = createSpanExport(
  {
    endpoint: new URL(`http://127.0.0.1:${port}/v1/traces`),
    sampling: { isParentBased: true, ratio: 1 },
    ...{ serviceName: 'bench', attributes: {}, headers: {} },
  },
  { version: 'bench', replicaId: 'bench', onLost: () => {}, monotonic: () => performance.now() },
);

const none: TraceHeaders = { traceparent: '', tracestate: '' };
const caller = (flags: string) => ({ ...none, traceparent: traceparentOf(1, flags) });
const tracedBy = (sampling: Sampling) => createTracing({ tracer, sampling, random: Math.random });
const parentBased = { isParentBased: true, ratio: 0 };
const cases = [
  { name: 'nothing is traced', tracing: undefined, caller: none },
  { name: 'traced; nobody names a trace, ratio 0', tracing: tracedBy(parentBased), caller: none },
  { name: 'traced; Envoy does not record its own', tracing: tracedBy(parentBased), caller: caller('00') },
  { name: 'traced; recorded and sent', tracing: tracedBy(parentBased), caller: caller('01') },
];

const secrets = benchKeys(1_000, 1);
const rows = [['a Check that is a hit', 'µs CPU', 'bytes', 'GC %', 'µs SHA-256']];
for (const { name, tracing, caller } of cases) {
  const { answer, flush } = await createSetting({ keys: 1_000, secrets, ...(tracing && { tracing }) });
  const asked = { answer: (bytes: Uint8Array) => answer(bytes, caller), flush };
  const { micros, bytes, gcShare, digestMicros } = await measure(asked, requestsOf(secrets, {}), bounds);
  const percent = gcShare.map((share) => 100 * share);
  rows.push([name, spread(micros, 2), spread(bytes, 0), spread(percent, 1), spread(digestMicros, 2)]);
}
console.log(`${table(rows)}\n`);
await close(2_000);
child.kill();

const blockRows = [['a header block', 'µs CPU']];
const fields = {
  ...{ ':method': 'POST', ':scheme': 'http', ':path': checkPath, ':authority': 'ext_authz', te: 'trailers' },
  ...{ 'grpc-timeout': '10000m', 'content-type': 'application/grpc' },
  ...{ 'x-envoy-internal': 'true', 'x-forwarded-for': '10.0.12.7' },
};
for (const [name, isTraced] of [
  ['the same each time', false],
  ['with a traceparent of its own', true],
] as const) {
  const blocks = await blocksOf(Array.from({ length: blocksCount }, (_, index) => fieldsOf(index, isTraced)));
  blockRows.push([name, spread(measureBlocks(blocks), 2)]);
}
console.log(table(blockRows));

function fieldsOf(index: number, isTraced: boolean): Readonly<Record<string, string>> {
  return isTraced ? { ...fields, traceparent: traceparentOf(index, '01') } : fields;
}

/** What one connection of nghttp2's encoder, as Node has it, makes of these headers. */
async function blocksOf(calls: readonly Readonly<Record<string, string>>[]): Promise<Buffer[]> {
  const blocks: Buffer[] = [];
  const whole = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    const frames = new FrameReader();
    const start = new Preface();
    socket.write(Buffer.concat([settingsFrame([]), frame(frameType.settings, flag.ack, 0, Buffer.alloc(0))]));
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      frames.read(chunk, start.read(chunk), {
        onFrame(type, _, __, bytes, at, end) {
          if (type === frameType.headers) blocks.push(Buffer.from(bytes.subarray(at, end)));
          if (blocks.length === calls.length) whole.resolve();
        },
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client.on('error', () => {});
  await once(client, 'remoteSettings');
  for (const headers of calls) client.request(headers).on('error', () => {});
  await whole.promise;
  client.destroy();
  server.close();
  return blocks;
}

/** Each round reads them over and over, as connections of their own. */
function measureBlocks(blocks: readonly Buffer[]): number[] {
  const micros: number[] = [];
  for (let round = 0; round <= bounds.rounds; round++) {
    const started = process.cpuUsage();
    for (let time = 0; time < blockRepeats; time++) {
      const reader = new HeadReader(methods, 65_536);
      for (const block of blocks) reader.read(block, 0, block.length);
    }
    const { user, system } = process.cpuUsage(started);
    if (round > 0) micros.push((user + system) / (blockRepeats * blocks.length));
  }
  return micros;
}

function traceparentOf(index: number, flags: string): string {
  return `00-${index.toString(16).padStart(32, '4')}-${index.toString(16).padStart(16, '7')}-${flags}`;
}
