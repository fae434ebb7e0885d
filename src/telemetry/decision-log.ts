import type { Allowed, Decision, Public } from '../check/authorize.ts';
import type { AccessRequest } from '../check/request.ts';
import { type Logger, logDenial, type TraceIds } from './log.ts';
import { allowedMessage } from './log-lines.ts';
import { createMisconfiguredLog } from './misconfigured-routes.ts';

export interface DecisionLogDependencies {
  readonly log: Logger;
  /** 0 up to 1, without 1. */
  readonly random: () => number;
  /** Milliseconds of a clock that nobody sets. */
  readonly monotonic: () => number;
}

/** Tells of what was decided, and of the trace that it was recorded in, where it was. */
export type DecisionLog = (decision: Decision, request: AccessRequest | null, trace: TraceIds | null) => void;

/**
 * A line for each denial, and each that there would be but for observe mode, and for a sample of the Checks that were allowed, with nothing in it that a client chose. Of
 * routes that are misconfigured, a line a minute.
 *
 * @param allowsSampleRatio the part of the allows that are told, 0 up to 1
 */
export function createDecisionLog(
  { log, random, monotonic }: DecisionLogDependencies,
  allowsSampleRatio: number,
): DecisionLog {
  const misconfigured = createMisconfiguredLog(log, monotonic);
  return (decision, request, trace) => {
    const isObserved = decision.verdict === 'observe';
    const judged = isObserved ? decision.would : decision;
    if (judged.verdict === 'deny' && judged.misconfigured !== undefined) misconfigured(judged.misconfigured);
    else if (judged.verdict === 'deny') logDenial(log, judged, request, trace, isObserved);
    else if (allowsSampleRatio > 0 && random() < allowsSampleRatio) logAllow(log, judged, request, trace);
  };
}

function logAllow(
  log: Logger,
  decision: Allowed | Public,
  request: AccessRequest | null,
  trace: TraceIds | null,
): void {
  const isPublic = decision.verdict === 'public';
  log.info(
    {
      ...(isPublic ? { public: true } : { scheme: decision.scheme.name, key_id: decision.key.id }),
      ...{ address: request?.address ?? '', trace_id: trace?.traceId, span_id: trace?.spanId },
    },
    allowedMessage,
  );
}
