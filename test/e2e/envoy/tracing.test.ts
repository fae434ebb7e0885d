import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Collected, type Collector, startCollector } from '../../real/collector.ts';
import { adminKey, type Postern, startPostern } from '../../real/postern.ts';
import { earlierThan, until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { type MadeKey, makeKey, type Stack, send, startStack } from '../stack.ts';
import { startTracingEnvoy } from './envoy-tracing.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parentId = '00f067aa0ba902b7';
const checkName = 'envoy.service.auth.v3.Authorization/Check';

describe('Postern behind an Envoy that traces, both to one collector', () => {
  let collector: Collector;
  let stack: Stack;
  let key: MadeKey;

  beforeAll(async () => {
    collector = await startCollector();
    const plain = await startStack({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test%20bed',
      OTEL_EXPORTER_OTLP_HEADERS: 'x-collector=let%20me%20in',
    });
    await plain.envoy.stop();
    stack = { ...plain, envoy: await startTracingEnvoy(plain, collector) };
    key = await makeKey(stack.postern, { owner: 'acme' });
  });
  afterAll(async () => {
    const { envoy, postern, echo } = stack;
    await Promise.all([envoy.stop(), postern.stop(), echo.stop()]);
    await collector.stop();
  });

  /** The spans of one trace, once there is a Check among them that is complete. */
  const traced = (id: string, service = 'postern', name = checkName) =>
    until(`${name} of ${id} is collected`, () => {
      const spans = collector.spans().filter((span) => span.traceId === id);
      return spans.some((span) => span.service === service && span.name === name) && spans;
    });

  it('one trace goes from the client over Envoy and its call of Check to the store', async () => {
    const traceparent = `00-${traceId}-${parentId}-01`;
    const { status, upstream } = await send(stack.envoy.url, '/', [
      ['authorization', `Bearer ${key.key}`],
      ['traceparent', traceparent],
      ['tracestate', 'vendor=value'],
    ]);
    expect(status).toBe(200);
    expect(upstream?.headers.traceparent?.[0]).toContain(traceId);
    const ours = of(await traced(traceId), 'postern');
    const check = ours.find(({ name }) => name === checkName) as Collected;
    const asked = await until('Envoy has told of its call', () =>
      collector.spans().find(({ spanId }) => spanId === check.parentSpanId),
    );
    expect(asked).toMatchObject({ service: 'envoy', traceId });
    const edge = await until('Envoy has told of the request', () =>
      collector.spans().find(({ spanId }) => spanId === asked.parentSpanId),
    );
    expect(edge).toMatchObject({ service: 'envoy', parentSpanId: parentId });
    expect(check).toMatchObject({
      kind: 2,
      status: 0,
      traceState: 'vendor=value',
      resource: {
        'service.name': 'postern',
        'service.version': expect.stringMatching(/^\d+\.\d+\.\d+/),
        'deployment.environment.name': 'test bed',
      },
      attributes: {
        'rpc.system': 'grpc',
        'rpc.service': 'envoy.service.auth.v3.Authorization',
        'rpc.method': 'Check',
        'rpc.grpc.status_code': 0,
        'postern.decision': 'allow',
        'postern.scheme': 'postern',
        'postern.cache': 'load',
        'postern.key_id': key.id,
      },
    });
    const parts = ours.filter(({ parentSpanId }) => parentSpanId === check.spanId);
    expect(parts.map(({ name, kind }) => [name, kind]).toSorted()).toEqual([
      ['store find_key', 1],
      ['store get_owner', 1],
    ]);
    expect(collector.headers()['x-collector']).toBe('let me in');
  });

  it('a trace that the client does not record is recorded by nobody, and a denial is no error', async () => {
    const [unsampled, denied] = ['a'.repeat(32), 'b'.repeat(32)];
    await send(stack.envoy.url, '/', [['traceparent', `00-${unsampled}-${parentId}-00`]]);
    await send(stack.envoy.url, '/', [['traceparent', `00-${denied}-${parentId}-01`]]);
    const [check] = of(await traced(denied), 'postern');
    expect(check).toMatchObject({
      status: 0,
      attributes: { 'postern.decision': 'deny', 'postern.reason': 'missing' },
    });
    expect(check?.attributes).not.toHaveProperty('error.type');
    expect(collector.spans().filter(({ traceId: id }) => id === unsampled)).toEqual([]);
    const line = await until('it is logged', () =>
      stack.postern.logLines().find(({ trace_id }) => trace_id === denied),
    );
    expect(line).toMatchObject({ msg: 'denied', reason: 'missing', span_id: check?.spanId });
  });

  it('an admin call over REST is in the trace that it names, with what it waits for', async () => {
    const named = 'c'.repeat(32);
    const response = await fetch(`${stack.postern.url}/admin/api-keys/${key.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${adminKey}`, traceparent: `00-${named}-${parentId}-01` },
    });
    expect(response.status).toBe(200);
    const spans = await traced(named, 'postern', 'postern.admin.v1.KeyAdmin/RevokeKey');
    const call = spans.find(({ parentSpanId }) => parentSpanId === parentId);
    expect(call).toMatchObject({ kind: 2, attributes: { 'rpc.method': 'RevokeKey' }, status: 0 });
    const parts = spans.filter(({ parentSpanId }) => parentSpanId === call?.spanId);
    expect(parts.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['store replace_key', 'store settle']),
    );
  });
});

it('without configuration the SDK is not even loaded, and with it alone it is', async () => {
  const collector = await startCollector();
  onTestFinished(() => collector.stop());
  const loaded = async (settings: Readonly<Record<string, string>>) => {
    const postern = await startPostern({ NODE_OPTIONS: `--import=${sayingWhatIsLoaded}`, ...settings });
    onTestFinished(() => postern.stop());
    return [...postern.log().matchAll(/^loaded .*@opentelemetry\/([a-z-]+)\//gm)].map(([, name]) => name);
  };
  const [without, disabled, configured] = await Promise.all([
    loaded({}),
    loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: 'true' }),
    loaded({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }),
  ]);
  expect([...new Set(without)]).toEqual(['api']);
  expect([...new Set(disabled)]).toEqual(['api']);
  expect(configured).toContain('sdk-trace');
});

it('a collector that is away, or swallows all, harms no Check, is told of once, and does not hold up the end', async () => {
  const silent = createServer((socket) => socket.on('error', () => {}));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const at = silent.address() as { port: number };
  const posterns = await Promise.all(
    ['127.0.0.1:1', `127.0.0.1:${at.port}`].map((address) =>
      startPostern({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://${address}/v1/traces` }),
    ),
  );
  onTestFinished(() => Promise.all(posterns.map((postern) => postern.stop())).then(() => {}));
  const told = (postern: Postern) =>
    postern.logLines().filter(({ msg }) => msg === 'spans could not be sent and are lost');
  for (const postern of posterns) {
    const { key } = await makeKey(postern);
    const target = `${postern.check.host}:${postern.check.port}`;
    for (let n = 0; n < 30; n++) {
      const { code } = await sendCheck(target, checkRequest({ authorization: `Bearer ${key}` }));
      expect(code).toBe(0);
    }
  }
  const [away] = posterns;
  await until('it is told', () => told(away as Postern).length > 0);
  for (const postern of posterns) {
    await postern.kill('SIGTERM');
    // Spans may be waited for for 5 s.
    expect(await earlierThan(15_000, () => postern.exited)).toBe(0);
    expect(told(postern).length).toBeLessThan(2);
  }
});

function of(spans: readonly Collected[], service: string): Collected[] {
  return spans.filter((span) => span.service === service);
}

/** A module that has Node say of each module that it is loaded, a line each. */
const sayingWhatIsLoaded = `data:text/javascript,${encodeURIComponent(
  'import{registerHooks}from"node:module";registerHooks({load(u,c,n){process.stderr.write("loaded "+u+"\\n");return n(u,c)}})',
)}`;
