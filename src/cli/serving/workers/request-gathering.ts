import type { Judges } from '../../../check/judges.ts';
import type { ServiceAnswers, WorkerTold } from '../../../link/messages.ts';
import type { Peer } from '../../../link/peer.ts';
import type { CheckConfig } from '../../../settings/check-config.ts';
import type { Logger } from '../../../telemetry/log.ts';
import { createRequestLog, type RequestLog } from '../../../usage/requests/request-log.ts';

export interface RequestGatheringOptions {
  readonly config: CheckConfig;
  readonly log: Logger;
  readonly judges: Pick<Judges, 'policy'>;
}

/** What becomes of requests, for the log of them. */
export function gatherRequests(
  service: Pick<Peer<ServiceAnswers, WorkerTold>, 'ask'>,
  { config, log, judges }: RequestGatheringOptions,
): RequestLog {
  const requests = createRequestLog(
    {
      send: (rows) => service.ask('recordRequests', rows),
      schemes: () => judges.policy().keySchemes,
      onError: (error) => log.warn({ err: error }, 'requests could not be logged yet'),
      // Without a service there is nobody who would count it.
      onLeftOut: (left) => void service.ask('leaveRequestsOut', left).catch(() => {}),
    },
    { flushMs: config.usageFlushMs },
  );
  requests.setOn(config.requestLog.isEnabled);
  return requests;
}
