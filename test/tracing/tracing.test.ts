import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import type { Decision } from '../../src/check/authorize.ts';
import { Failure } from '../../src/failure.ts';
import { createAnswer } from '../../src/grpc/check/check-server.ts';
import { readPresets } from '../../src/presets/read.ts';
import { traceAdmin } from '../../src/telemetry/tracing-admin.ts';
import { traceLookups } from '../../src/telemetry/tracing-check.ts';
import { createTracing } from '../../src/tracing/tracing.ts';
import { adminForm, storeForm } from '../../src/tracing/tracing-attributes.ts';
import {
  isTraceparent,
  named,
  type Sampling,
  samplers,
  samplingOf,
} from '../../src/tracing/tracing-context.ts';
import { checkBytes } from '../check-bytes.ts';
import { keyRecord } from '../records.ts';
import { createTestService } from '../service.ts';

const [one, other, third] = ['a', 'b', 'c'].map((digit) => digit.repeat(32)) as [string, string, string];
const parentId = '00f067aa0ba902b7';
const parent = (traceId: string, flags = '01') => `00-${traceId}-${parentId}-${flags}`;
const parentBased: Sampling = { isParentBased: true, ratio: 0 };
const [postern] = [...readPresets().values()];
if (postern === undefined) throw new Error('unreachable');

function setUp(sampling: Sampling = parentBased, random = () => 0.5) {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const tracing = createTracing({ tracer: provider.getTracer('test'), sampling, random });
  return { tracing, spans: () => exporter.getFinishedSpans() };
}

/** Answers Checks with a decision; tells of the spans. */
function answering(decide: () => Decision | Promise<Decision>, sampling?: Sampling, random?: () => number) {
  const { tracing, spans } = setUp(sampling, random);
  const told: (string | undefined)[] = [];
  const answer = createAnswer({
    authorize: decide,
    fallbackScheme: () => postern as NonNullable<typeof postern>,
    onDecision: (_, __, ___, span) => told.push(span?.traceId),
    onBroken: () => {},
    unavailableAs: 'error_response',
    tracing,
  });
  return { answer, spans, told };
}

const allow = (): Decision => ({ verdict: 'public' });

describe('the trace of a Check', () => {
  const headers = (traceparent: string, tracestate = '') => ({ traceparent, tracestate });
  const raw = (...values: string[]) => values.map((value) => ['traceparent', value] as const);

  it.each([
    [
      'the one of Envoy before that of the request',
      headers(parent(one)),
      { traceparent: parent(other) },
      one,
    ],
    ['that of the request where Envoy names none', headers(''), { traceparent: parent(other) }, other],
    ['that of the request, apart and as bytes', headers(''), raw(parent(third)), third],
    [
      'that of the request where Envoy names what is none',
      headers('nonsense'),
      { traceparent: parent(other) },
      other,
    ],
    ['none where the request names two', headers(''), raw(parent(one), parent(other)), null],
    [
      'none where the request names two in one',
      headers(''),
      { traceparent: `${parent(one)},${parent(one)}` },
      null,
    ],
    ['none where neither names one', headers(''), {}, null],
    [
      'none where Envoy does not record its own',
      headers(parent(one, '00')),
      { traceparent: parent(other) },
      null,
    ],
  ] as const)('is %s', async (_, caller, given, expected) => {
    const { answer, spans, told } = answering(allow);
    await answer(checkBytes(given), caller);
    expect(spans().map((span) => span.spanContext().traceId)).toEqual(expected === null ? [] : [expected]);
    expect(spans().map((span) => span.parentSpanContext?.spanId)).toEqual(
      expected === null ? [] : [parentId],
    );
    expect(told).toEqual([expected ?? undefined]);
  });

  it('is a new one for the part that is to be recorded, whatever nonsense is sent', async () => {
    let next = 0;
    const { answer, spans } = answering(allow, { isParentBased: true, ratio: 0.25 }, () => next);
    for (next of [0, 0.2, 0.25, 0.9]) await answer(checkBytes({ traceparent: 'zz' }), headers('00-1-2-3'));
    expect(spans()).toHaveLength(2);
    expect(spans().every((span) => span.parentSpanContext === undefined)).toBe(true);
  });

  it('keeps the state that came with it', async () => {
    const { answer, spans } = answering(allow);
    await answer(checkBytes({}), headers(parent(one), 'vendor=1,other=2'));
    expect(spans()[0]?.spanContext().traceState?.serialize()).toBe('vendor=1,other=2');
  });
});

describe('the span of a Check', () => {
  const terms = null;
  const rate = null;
  const key = keyRecord({ owner: 'acme', name: 'a name' });
  const scheme = postern;
  const only = async (
    decide: () => Decision | Promise<Decision>,
    bytes = checkBytes({ authorization: 'Bearer x' }),
  ) => {
    const { answer, spans } = answering(decide, samplingOf('always_on', 0));
    const answered = answer(bytes);
    await Promise.resolve(answered).catch(() => {});
    expect(spans()).toHaveLength(1);
    const [span] = spans();
    return { attributes: span?.attributes, status: span?.status.code };
  };

  it('says what was decided, by which scheme, on which key, and nothing of whose it is', async () => {
    const decision: Decision = {
      verdict: 'allow',
      owner: null,
      key,
      scheme,
      permissions: [],
      withheld: { headers: ['a'], changed: [], parameters: [] },
      plan: null,
      rate,
    };
    const { attributes, status } = await only(() => decision);
    expect(status).toBe(0);
    expect(attributes).toEqual({
      'rpc.system': 'grpc',
      'rpc.service': 'envoy.service.auth.v3.Authorization',
      'rpc.method': 'Check',
      'rpc.grpc.status_code': 0,
      'postern.decision': 'allow',
      'postern.scheme': 'postern',
      'postern.key_id': key.id,
    });
  });

  it('is no error for a denial, at once or later, nor for what could not be read', async () => {
    const denied: Decision = { verdict: 'deny', reason: 'expired', scheme, key, terms, rate };
    for (const decide of [() => denied, async () => denied]) {
      const { attributes, status } = await only(decide);
      expect([status, attributes?.['postern.reason'], attributes?.['error.type']]).toEqual([
        0,
        'expired',
        undefined,
      ]);
    }
    const { attributes, status } = await only(allow, Buffer.from([0xff]));
    expect([status, attributes?.['postern.reason']]).toEqual([0, 'malformed']);
  });

  it('is an error when the store could not be asked or something broke, without its message', async () => {
    const away: Decision = { verdict: 'deny', reason: 'unavailable', scheme, key: null, terms, rate };
    const breaks = () => {
      throw new Error('Bearer secret');
    };
    for (const decide of [() => away, breaks, async () => breaks()]) {
      const { attributes, status } = await only(decide);
      expect([status, attributes?.['error.type']]).toEqual([2, 'unavailable']);
      expect(JSON.stringify(attributes)).not.toContain('secret');
    }
  });
});

describe('what a traced call waits for', () => {
  it('is a part of its span, and of no other call, until the call has ended', async () => {
    const { tracing, spans } = setUp(samplingOf('always_on', 0));
    const ask = tracing.timed(storeForm('mongodb', 'find_key'), async (answer: string) => {
      if (answer === 'away') throw new RangeError('secret');
      return answer;
    });
    const call = tracing.serve(adminForm('GetKey', 'grpc'), null);
    expect(await ask('nobody asks')).toBe('nobody asks');
    await call?.within(async () => {
      expect(await ask('here')).toBe('here');
      await expect(ask('away')).rejects.toThrow(RangeError);
    });
    const later = call?.within(() => () => ask('late'));
    call?.end();
    await later?.();
    await call?.within(() => ask('too late'));
    expect(
      spans().map(({ name, status, parentSpanContext }) => [name, status.code, parentSpanContext?.spanId]),
    ).toEqual([
      ['store find_key', 0, call?.spanId],
      ['store find_key', 2, call?.spanId],
      ['postern.admin.v1.KeyAdmin/GetKey', 0, undefined],
    ]);
    expect(spans()[1]?.attributes['error.type']).toBe('RangeError');
    expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toContain(
      'secret',
    );
  });

  it('has no more parts than a bound, however long it goes on', async () => {
    const { tracing, spans } = setUp(samplingOf('always_on', 0));
    const ask = tracing.timed(storeForm('sqlite', 'insert_keys'), async () => {});
    const call = tracing.serve(adminForm('ImportKeys', 'grpc'), null);
    await call?.within(async () => {
      for (let n = 0; n < 300; n++) await ask();
    });
    call?.end();
    expect(spans()).toHaveLength(101);
  });

  it('says what memory knew at first of the key that it is about', async () => {
    const { tracing, spans } = setUp(samplingOf('always_on', 0));
    const { keyring, store } = await createTestService();
    const watched = traceLookups(keyring, tracing);
    const key = keyRecord();
    await store.insertKey(key, 1);
    const cache: unknown[] = [];
    for (let n = 0; n < 2; n++) {
      const call = tracing.serve(adminForm('Test', 'grpc'), null);
      await call?.within(async () => {
        watched.peek(key.digest);
        await watched.load(key.digest, [key.digest], '');
        watched.peek(key.digest);
      });
      call?.end();
      cache.push(spans()[n]?.attributes['postern.cache']);
    }
    expect(cache).toEqual(['load', 'hit']);
  });
});

describe('the span of an admin call', () => {
  it('says how the call ended: refused is no error, broken is', async () => {
    const { tracing, spans } = setUp(samplingOf('always_on', 0));
    const { admin, adminAuthorization } = await createTestService();
    const broken = { ...admin, listOwners: () => Promise.reject(new TypeError('secret')) };
    const away = { ...broken, listKeys: () => Promise.reject(new Failure('UNAVAILABLE', 'X', 'x')) };
    const traced = traceAdmin(away, tracing);
    const caller = { authorization: [adminAuthorization], address: '', protocol: 'grpc' } as const;
    await expect(traced.getKey(caller, 'key_none')).rejects.toThrow(Failure);
    await expect(traced.listOwners(caller, {})).rejects.toThrow(TypeError);
    await expect(traced.listKeys(caller, {})).rejects.toThrow(Failure);
    await traced.getDiagnostics(caller);
    const told = spans().map(({ name, attributes, status }) => [
      name.replace(/^.*\//, ''),
      attributes['rpc.grpc.status_code'],
      attributes['error.type'],
      status.code,
    ]);
    expect(told).toEqual([
      ['GetKey', 5, 'NOT_FOUND', 0],
      ['ListOwners', 13, 'TypeError', 2],
      ['ListKeys', 14, 'UNAVAILABLE', 2],
      ['GetDiagnostics', 0, undefined, 0],
    ]);
  });
});

describe('the samplers of OpenTelemetry', () => {
  const recorded = (sampler: (typeof samplers)[number], traceparent: string) => {
    const { tracing } = setUp(samplingOf(sampler, 0.5), () => 0.4);
    return tracing.serve(adminForm('Test', 'grpc'), named({ traceparent, tracestate: '' })) !== null;
  };

  it('decide by the caller, by themselves or by a part of all traces', () => {
    const low = `${'f'.repeat(18)}${'0'.repeat(14)}`;
    const high = `${'0'.repeat(18)}${'f'.repeat(14)}`;
    const callers = ['', parent(high), parent(high, '00'), parent(low), parent(low, '00')];
    const table = samplers.map((sampler) => [sampler, ...callers.map((caller) => recorded(sampler, caller))]);
    expect(table).toEqual([
      ['always_on', true, true, true, true, true],
      ['always_off', false, false, false, false, false],
      ['traceidratio', true, false, false, true, true],
      ['parentbased_always_on', true, true, false, true, false],
      ['parentbased_always_off', false, true, false, true, false],
      ['parentbased_traceidratio', true, true, false, true, false],
    ]);
  });
});

it.each([
  [parent(one), true],
  [`cc-${one}-${parentId}-01`, true],
  [`cc-${one}-${parentId}-01-what-the-future-brings`, true],
  [`cc-${one}-${parentId}-01.what`, false],
  [`${parent(one)}-more`, false],
  [`ff-${one}-${parentId}-01`, false],
  [parent('0'.repeat(32)), false],
  [`00-${one}-${'0'.repeat(16)}-01`, false],
  [parent(one.toUpperCase()), false],
  [parent(one.slice(1)), false],
  [` ${parent(one)}`, false],
  ['', false],
])('%j names a trace: %s', (text, expected) => {
  expect(isTraceparent(text)).toBe(expected);
});

it('what is very long names no trace', () => {
  const open = `cc-${one}-${parentId}-01-`;
  expect(isTraceparent(open.padEnd(256, 'x'))).toBe(true);
  expect(isTraceparent(open.padEnd(257, 'x'))).toBe(false);
});
