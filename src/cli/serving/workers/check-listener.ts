import { createCheckMethods } from '../../../grpc/check/check-methods.ts';
import { CHECK_BYTES_MAX, type CheckDependencies, createAnswer } from '../../../grpc/check/check-server.ts';
import type { GrpcListener } from '../../../grpc/server.ts';
import { createH2Listener, type H2Listener } from '../../../h2/listener.ts';
import type { ChargeHits } from '../../../limits/hits.ts';
import type { TlsSource } from '../../../net/tls.ts';
import type { Config } from '../../../settings/config.ts';
import type { ConnectionCounts } from '../../../telemetry/connection-counts.ts';
import type { Logger } from '../../../telemetry/log.ts';

export interface CheckListenerOptions {
  readonly config: Pick<
    Config['check'],
    'requestBytesMax' | 'connectionsMax' | 'connectionAgeMaxMs' | 'reusePort'
  >;
  /** Cleartext where there is none. */
  readonly tls: Pick<TlsSource, 'material' | 'subscribe'> | null;
  /** Where its connections are counted. */
  readonly counts: ConnectionCounts;
  readonly log: Pick<Logger, 'warn'>;
}

export interface CheckListener extends GrpcListener, Pick<H2Listener, 'accept'> {}

/** The listener for Checks, which Envoy asks on every request: on a transport of its own, for speed. */
export function createCheckListener(
  dependencies: CheckDependencies & { readonly chargeHits: ChargeHits },
  { config, tls, counts, log }: CheckListenerOptions,
): CheckListener {
  const { methods, setServing, endWatches } = createCheckMethods(
    createAnswer(dependencies),
    dependencies.chargeHits,
  );
  const { onBroken } = dependencies;
  const { requestBytesMax, connectionsMax, connectionAgeMaxMs, reusePort } = config;
  const listener = createH2Listener(methods, {
    ...(tls !== null && { secure: tls.material }),
    bounds: {
      requestBytesMax: Math.max(requestBytesMax, CHECK_BYTES_MAX),
      ...{ connectionsMax, connectionAgeMaxMs },
    },
    ...{ counts, reusePort, onBroken },
    onFull() {
      const fields = { connections_max: connectionsMax };
      log.warn(fields, 'check.connections_max is reached: a new connection for Checks was closed');
    },
  });
  tls?.subscribe(listener.setSecureContext);
  return {
    listen: listener.listen,
    accept: listener.accept,
    setServing,
    close(drainMs) {
      endWatches();
      return listener.close(drainMs);
    },
  };
}
