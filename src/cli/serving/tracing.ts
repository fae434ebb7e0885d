import { hostname } from 'node:os';
import type { CheckConfig } from '../../settings/check-config.ts';
import type { Logger } from '../../telemetry/log.ts';
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

/** Told that spans were lost, how often, and why the last. */
export type TellLost = (times: number, why: string) => void;

/** A line for the losses of all who send spans together, not more often than that. */
export function createLostTeller(log: Pick<Logger, 'warn'>, toldEveryMs = 60_000): TellLost {
  let waiting = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  return (times, why) => {
    waiting += times;
    if (performance.now() < toldAt + toldEveryMs) return;
    toldAt = performance.now();
    log.warn({ times: waiting, why }, 'spans could not be sent and are lost');
    waiting = 0;
  };
}

/** Null where nothing is traced; the SDK is loaded only where something is. */
export async function openTracing(
  config: Pick<CheckConfig, 'tracing' | 'replicaId'>,
  tellLost: TellLost,
): Promise<OpenTracing | null> {
  const { tracing: settings } = config;
  if (settings === null) return null;
  const { createSpanExport } = await import('../../otel/span-export.ts');
  const { tracer, close } = createSpanExport(settings, {
    version,
    replicaId: config.replicaId ?? hostname(),
    onLost: (error, times) => tellLost(times, error?.message.slice(0, whyLengthMax) ?? ''),
    monotonic: () => performance.now(),
  });
  const tracing = createTracing({ tracer, sampling: settings.sampling, random: Math.random });
  return { tracing, close: () => close(closeMaxMs) };
}
