import { hostname } from 'node:os';
import type { Config } from '../../settings/config.ts';
import type { Logger } from '../../telemetry/telemetry.ts';
import { createTracing, type Tracing } from '../../tracing/tracing.ts';
import { version } from '../../version.ts';

/** Tracing, and the end of it. */
export interface OpenTracing {
  readonly tracing: Tracing;
  /** Sends the spans that are left. Never rejects. */
  close(): Promise<void>;
}

/** How long the last spans may take. */
const closeMaxMs = 2_000;
const whyLengthMax = 200;

/** Null where nothing is traced; the SDK is loaded only where something is. */
export async function openTracing(config: Config, log: Logger): Promise<OpenTracing | null> {
  const { tracing: settings } = config;
  if (settings === null) return null;
  const { createSpanExport } = await import('../../otel/span-export.ts');
  const { tracer, close } = createSpanExport(settings, {
    version,
    replicaId: config.replicaId ?? hostname(),
    onLost: (error, times) =>
      log.warn({ times, why: error?.message.slice(0, whyLengthMax) }, 'spans could not be sent and are lost'),
    monotonic: () => performance.now(),
  });
  const tracing = createTracing({ tracer, sampling: settings.sampling, random: Math.random });
  return { tracing, close: () => close(closeMaxMs) };
}
