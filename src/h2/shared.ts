import type { RpcMethods } from '../net/rpc.ts';
import type { ConnectionCounts } from '../telemetry/connection-counts.ts';
import type { Bounds } from './bounds.ts';
import type { Held } from './calls/message-reader.ts';
import type { Clock } from './clock.ts';
import type { Spares } from './outbox.ts';

/** What the connections of one listener share. */
export interface Shared {
  readonly methods: RpcMethods;
  readonly bounds: Bounds;
  readonly clock: Clock;
  /** 0 up to 1. */
  readonly random: () => number;
  readonly spares: Spares;
  readonly held: Held;
  readonly counts: ConnectionCounts;
  /** Told of what should not have happened; must not throw. */
  readonly onBroken: (error: unknown) => void;
}
