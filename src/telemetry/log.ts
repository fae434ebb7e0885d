import { type Logger, pino } from 'pino';
import type { Decision } from '../check/authorize.ts';
import type { AccessRequest } from '../check/request.ts';
import type { LogLevel } from '../settings/settings-schema.ts';
import { createTimestamp, deniedMessage, gatherChecks, type LineStream } from './log-lines.ts';

export type { Logger };

/** JSON lines on standard error; standard output is for what a person asked for. */
export function createLogger(level: LogLevel, stream: LineStream): Logger {
  return pino({ level, base: null, timestamp: createTimestamp() }, gatherChecks(stream));
}

/** Which trace a line belongs to. */
export interface TraceIds {
  readonly traceId: string;
  readonly spanId: string;
}

/** One line per denial, with nothing in it that a client chose. */
export function logDenial(
  log: Logger,
  decision: Decision,
  request: AccessRequest | null,
  trace: TraceIds | null = null,
): void {
  if (decision.verdict !== 'deny') return;
  const { reason, scheme, key } = decision;
  const address = request?.address ?? '';
  const fields = { reason, scheme: scheme.name, key_id: key === null ? undefined : key.id, address };
  if (trace === null) log.info(fields, deniedMessage);
  else log.info({ ...fields, trace_id: trace.traceId, span_id: trace.spanId }, deniedMessage);
}
