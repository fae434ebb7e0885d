import { type Logger, pino } from 'pino';
import type { Denied } from '../check/authorize.ts';
import type { AccessRequest } from '../check/request.ts';
import type { LogLevel } from '../settings/settings-schema.ts';
import {
  createTimestamp,
  deniedMessage,
  gatherChecks,
  type LineStream,
  observedMessage,
} from './log-lines.ts';

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

/** One line per denial, with nothing in it that a client chose; of one that was observed alone, the owner too. */
export function logDenial(
  log: Logger,
  { reason, scheme, key }: Denied,
  request: AccessRequest | null,
  trace: TraceIds | null = null,
  isObserved = false,
): void {
  const address = request?.address ?? '';
  const fields = {
    ...{ reason, scheme: scheme.name, key_id: key === null ? undefined : key.id },
    ...(isObserved && { owner: key?.owner ?? undefined }),
    address,
  };
  const message = isObserved ? observedMessage : deniedMessage;
  if (trace === null) log.info(fields, message);
  else log.info({ ...fields, trace_id: trace.traceId, span_id: trace.spanId }, message);
}
