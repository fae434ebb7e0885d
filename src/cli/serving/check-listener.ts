import { createCheckMethods } from '../../grpc/check/check-methods.ts';
import { type CheckDependencies, createAnswer } from '../../grpc/check/check-server.ts';
import type { GrpcListener } from '../../grpc/server.ts';
import type { Bounds } from '../../h2/bounds.ts';
import { createH2Listener } from '../../h2/listener.ts';
import type { TlsSource } from '../../net/tls.ts';
import type { ConnectionCounts } from '../../telemetry/connection-counts.ts';

export interface CheckListenerOptions {
  /** Cleartext where there is none. */
  readonly tls: TlsSource | null;
  readonly bounds: Partial<Bounds>;
  /** Where its connections are counted. */
  readonly counts: ConnectionCounts;
  /** Told, once a minute at the most, that a connection was one too many. */
  readonly onFull: () => void;
  /** Whether other processes may listen on its port too. */
  readonly reusePort: boolean;
}

/** The listener for Checks, which Envoy asks on every request: on a transport of its own, for speed. */
export function createCheckListener(
  dependencies: CheckDependencies,
  { tls, bounds, counts, onFull, reusePort }: CheckListenerOptions,
): GrpcListener {
  const { methods, setServing, endWatches } = createCheckMethods(createAnswer(dependencies));
  const { onBroken } = dependencies;
  const secure = tls === null ? {} : { secure: tls.material };
  const listener = createH2Listener(methods, { ...secure, bounds, counts, reusePort, onFull, onBroken });
  tls?.subscribe(listener.setSecureContext);
  return {
    listen: listener.listen,
    setServing,
    close(drainMs) {
      endWatches();
      return listener.close(drainMs);
    },
  };
}
