import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { createSpanExport, type SpanExportOptions } from '../../src/otel/span-export.ts';
import { type Collector, startCollector } from '../real/collector.ts';
import { earlierThan, until } from '../real/until.ts';

let collector: Collector;
beforeEach(async () => {
  collector = await startCollector();
  onTestFinished(() => collector.stop());
});

function open(options: SpanExportOptions = {}) {
  const clock = { now: 0 };
  const lost: [why: string | undefined, times: number][] = [];
  const { tracer, close } = createSpanExport(
    {
      endpoint: new URL('/v1/traces', collector.url),
      sampling: { isParentBased: true, ratio: 1 },
      serviceName: 'front-door',
      attributes: { 'service.version': 'mine', zone: 'a' },
      headers: { 'x-token': 'geheim' },
    },
    {
      ...{ version: '1.2.3', replicaId: 'postern-0', monotonic: () => clock.now },
      onLost: (error, times) => lost.push([error?.message, times]),
    },
    { delayMs: 1, exportMaxMs: 300, ...options },
  );
  return { clock, lost, close, record: (name: string) => tracer.startSpan(name).end() };
}

it('sends every span, with what is said of the process, and what is left at the end', async () => {
  const { record, close } = open({ delayMs: 60_000 });
  for (let n = 0; n < 1_000; n++) record(`span ${n}`);
  await close(5_000);
  expect(new Set(collector.spans().map(({ name }) => name)).size).toBe(1_000);
  expect(collector.spans()[0]?.resource).toEqual({
    'service.name': 'front-door',
    'service.version': 'mine',
    'service.instance.id': 'postern-0',
    zone: 'a',
  });
  expect(collector.headers()).toMatchObject({
    'x-token': 'geheim',
    'content-type': 'application/x-protobuf',
  });
  expect(collector.received()).not.toContain('geheim');
});

it('tells of spans that are lost once a minute, with how often it happened, and goes on', async () => {
  const { clock, lost, record, close } = open();
  collector.answerWith(400);
  const refused = async (name: string) => {
    record(name);
    await until(`${name} is sent`, () => collector.spans().some((span) => span.name === name));
  };
  await refused('one');
  await until('it is told', () => lost.length > 0);
  expect(lost).toEqual([[expect.any(String), 1]]);
  for (const name of ['two', 'three', 'four']) await refused(name);
  clock.now = 60_000;
  await until('it is told again', async () => {
    await refused(`again ${collector.spans().length}`);
    return lost.length > 1;
  });
  expect(lost).toHaveLength(2);
  expect(lost[1]?.[1]).toBeGreaterThan(2);
  collector.answerWith(200);
  record('last');
  await close(5_000);
  expect(collector.spans().at(-1)?.name).toBe('last');
});

it('holds no more spans than a bound, and says how many it dropped', async () => {
  const { lost, record, close } = open({ spansMax: 10 });
  for (let n = 0; n < 100; n++) record(`span ${n}`);
  await until('there is room again', () => {
    record('after');
    return lost.length > 0;
  });
  expect(lost).toEqual([[expect.stringMatching(/^Dropped 8\d spans because/), 1]]);
  await close(5_000);
  expect(collector.spans().filter(({ name }) => name !== 'after')).toHaveLength(20);
});

it('does not wait for a collector that does not answer longer than it may', async () => {
  const { record, close } = open({ delayMs: 60_000, exportMaxMs: 60_000 });
  await collector.stop();
  record('lost');
  await earlierThan(5_000, () => close(50));
});
