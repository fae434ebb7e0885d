import { expect, it } from 'vitest';
import { examineSettings } from '../../../src/cli/config/settings.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' };
const examine = (environment: Readonly<Record<string, string>>, yaml = '') =>
  examineSettings({ config: 'a.yaml', set: {} }, environment, () => yaml);
const tracing = (environment: Readonly<Record<string, string>>, yaml?: string) =>
  examine(environment, yaml).config?.tracing;

it("OpenTelemetry's variables set the same as the file, and go over it", () => {
  expect(tracing({})).toBeNull();
  expect(tracing(endpoint)?.endpoint.href).toBe('http://collector:4318/v1/traces');
  expect(
    tracing(
      {
        ...endpoint,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://other:1/x',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_TRACES_EXPORTER: 'otlp',
        OTEL_TRACES_SAMPLER: 'traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.25',
        OTEL_SERVICE_NAME: 'door',
        OTEL_RESOURCE_ATTRIBUTES: 'k8s.pod.name=postern-0, zone=a%2Cb',
        OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20abc',
        OTEL_SDK_DISABLED: 'false',
        OTEL_METRICS_EXPORTER: 'whatever',
      },
      'tracing: { endpoint: "http://file:1/", sample_ratio: 0.5, service_name: file, attributes: { a: b } }',
    ),
  ).toEqual({
    endpoint: new URL('https://other:1/x'),
    sampling: { isParentBased: false, ratio: 0.25 },
    serviceName: 'door',
    attributes: { 'k8s.pod.name': 'postern-0', zone: 'a,b' },
    headers: { authorization: 'Basic abc' },
  });
});

it.each([
  { OTEL_SDK_DISABLED: 'TRUE' },
  { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
  { OTEL_TRACES_EXPORTER: 'none' },
])('nothing is traced with %j', (environment) => {
  expect(examine({ ...endpoint, ...environment })).toMatchObject({ problems: [], config: { tracing: null } });
});

it.each([
  [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf'],
  [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER: expected otlp or none'],
  [{ OTEL_RESOURCE_ATTRIBUTES: 'zone' }, 'OTEL_RESOURCE_ATTRIBUTES: expected name=value,name=value'],
  [
    { OTEL_TRACES_SAMPLER_ARG: 'half' },
    /^OTEL_TRACES_SAMPLER_ARG: tracing.sample_ratio: expected a number from 0 to 1/,
  ],
  [
    { OTEL_TRACES_SAMPLER_ARG: '1.5' },
    /^OTEL_TRACES_SAMPLER_ARG: tracing.sample_ratio: expected a number from 0 to 1/,
  ],
  [{ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, /^OTEL_TRACES_SAMPLER: tracing.sampler: expected "always_on"/],
  [
    { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'collector:4317' },
    /^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: tracing.endpoint: expected an http/,
  ],
  [
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://me:geheim@collector' },
    /^OTEL_EXPORTER_OTLP_ENDPOINT: tracing.endpoint: expected an http/,
  ],
  [{ OTEL_EXPORTER_OTLP_HEADERS: 'geheim' }, /^OTEL_EXPORTER_OTLP_HEADERS: expected name=value/],
])('what is wrong stops the start, and quotes no secret: %j', (environment, problem) => {
  const { config, problems } = examine({ ...environment });
  expect(config).toBeNull();
  expect(problems).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)]);
  expect(problems.join()).not.toContain('geheim');
});
