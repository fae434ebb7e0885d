/**
 * Room `otel/`: OpenTelemetry's SDK. Here: the export of spans, loaded only where traces are configured. Not
 * here: what is traced (`telemetry/`).
 */

import { DiagLogLevel, diag, type Tracer } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, setGlobalErrorHandler } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../settings/tracing-settings.ts';
import { resourceAttribute } from '../tracing/tracing-attributes.ts';

/** Spans on their way to a collector. */
export interface SpanExport {
  readonly tracer: Tracer;
  /** Sends what is left, for `closeMaxMs` at most. Never rejects. */
  close(closeMaxMs: number): Promise<void>;
}

export interface SpanExportDependencies {
  readonly version: string;
  /** The name of this process among its replicas. */
  readonly replicaId: string;
  /** Told that spans were lost, and how often since it was told last; not more often than `toldEveryMs`. */
  readonly onLost: (error: Error | undefined, times: number) => void;
  /** Milliseconds of a clock that is never set back. */
  readonly monotonic: () => number;
}

export interface SpanExportOptions {
  /** Spans that wait to be sent; past it they are dropped. Default 2 048. */
  readonly spansMax?: number;
  /** How long a span waits for others at most. Default 1 s. */
  readonly delayMs?: number;
  /** How long one batch may take, all tries together. Default 5 s. */
  readonly exportMaxMs?: number;
  readonly toldEveryMs?: number;
}

/** Spans that are sent together. */
const batchMax = 512;

/** Every span that is asked of its tracer is sent: whether to ask is decided before there is one. */
export function createSpanExport(
  config: TracingConfig,
  dependencies: SpanExportDependencies,
  options: SpanExportOptions = {},
): SpanExport {
  const { spansMax = 2_048, delayMs = 1_000, exportMaxMs = 5_000, toldEveryMs = 60_000 } = options;
  const { version, replicaId } = dependencies;
  const lost = createLosses(dependencies, toldEveryMs);
  // Where the SDK says what its queue could not take, and nothing else that matters.
  diag.setLogger(
    { ...{ error() {}, info() {}, debug() {}, verbose() {} }, warn: (message) => lost(new Error(message)) },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  setGlobalErrorHandler((error) => lost(error instanceof Error ? error : undefined));
  const exporter = new OTLPTraceExporter({
    url: config.endpoint.href,
    headers: { ...config.headers },
    timeoutMillis: exportMaxMs,
    // At the end all batches go at once.
    concurrencyLimit: Math.ceil(spansMax / batchMax) + 1,
  });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      [resourceAttribute.serviceName]: config.serviceName,
      [resourceAttribute.serviceVersion]: version,
      [resourceAttribute.serviceInstance]: replicaId,
      ...config.attributes,
    }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: telling(exporter, lost),
        maxQueueSize: spansMax,
        maxExportBatchSize: Math.min(batchMax, spansMax),
        scheduledDelayMillis: delayMs,
        exportTimeoutMillis: exportMaxMs,
      }),
    ],
  });

  return {
    tracer: provider.getTracer('postern', version),
    async close(closeMaxMs) {
      const over = Promise.withResolvers<void>();
      const timer = setTimeout(over.resolve, closeMaxMs);
      await Promise.race([provider.shutdown().catch(() => {}), over.promise]);
      clearTimeout(timer);
    },
  };
}

type Lost = (error: Error | undefined) => void;

function createLosses({ onLost, monotonic }: SpanExportDependencies, toldEveryMs: number): Lost {
  let times = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    times++;
    if (monotonic() < toldAt + toldEveryMs) return;
    toldAt = monotonic();
    onLost(error, times);
    times = 0;
  };
}

/** The same exporter; what it could not send is told, and nobody else hears of it. */
function telling(exporter: SpanExporter, lost: Lost): SpanExporter {
  return {
    export(spans: ReadableSpan[], done: (result: ExportResult) => void) {
      exporter.export(spans, (result) => {
        if (result.code !== ExportResultCode.SUCCESS) lost(result.error);
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
