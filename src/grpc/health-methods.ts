/**
 * grpc.health.v1.Health without grpc-js, which Check workers do without: its messages have one field each
 * (https://github.com/grpc/grpc-proto/blob/master/grpc/health/v1/health.proto).
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { RpcError, type RpcMethod, type RpcStream, rpcStatus } from '../net/rpc.ts';

export interface Health {
  readonly methods: ReadonlyMap<string, RpcMethod>;
  setServing(serving: boolean): void;
  /** A watch never ends by itself: it would hold up the drain as long as a drain may last. */
  endWatches(): void;
}

const statusOf = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
type ServingStatus = (typeof statusOf)[keyof typeof statusOf];

/** Of the listener as a whole, and of these services; NOT_SERVING until it is told otherwise. */
export function createHealth(services: readonly string[]): Health {
  const known = new Set(['', ...services]);
  const watches = new Map<RpcStream, string>();
  let now: ServingStatus = statusOf.notServing;
  const statusFor = (service: string) => (known.has(service) ? now : statusOf.serviceUnknown);

  const check: RpcMethod = {
    kind: 'unary',
    handle(request) {
      const service = serviceIn(request);
      if (!known.has(service))
        throw new RpcError(rpcStatus.notFound, `Health status unknown for service ${service}`);
      return answer(now);
    },
  };
  const list: RpcMethod = {
    kind: 'unary',
    handle: () => Buffer.concat([...known].map((service) => entry(service, now))),
  };
  const watch: RpcMethod = {
    kind: 'stream',
    start: (stream) => ({
      onMessage(message) {
        if (watches.has(stream))
          throw new RpcError(rpcStatus.unimplemented, 'one request is all that a watch takes');
        const service = serviceIn(message);
        watches.set(stream, service);
        stream.send(answer(statusFor(service)));
      },
      onHalfClose() {
        if (!watches.has(stream)) stream.end(new RpcError(rpcStatus.unimplemented, 'no request was sent'));
      },
      onCancelled: () => void watches.delete(stream),
    }),
  };
  return {
    methods: new Map<string, RpcMethod>([
      ['/grpc.health.v1.Health/Check', check],
      ['/grpc.health.v1.Health/List', list],
      ['/grpc.health.v1.Health/Watch', watch],
    ]),
    setServing(serving) {
      const next = serving ? statusOf.serving : statusOf.notServing;
      if (next === now) return;
      now = next;
      for (const [stream, service] of watches) if (known.has(service)) stream.send(answer(now));
    },
    endWatches() {
      const end = new RpcError(rpcStatus.unavailable, 'the server is shutting down');
      for (const stream of watches.keys()) stream.end(end);
      watches.clear();
    },
  };
}

/** `service` of a HealthCheckRequest. */
function serviceIn(request: Uint8Array): string {
  let service = '';
  try {
    const reader = new BinaryReader(request);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === 2) service = reader.string();
      else reader.skip(type);
    }
  } catch {
    throw new RpcError(rpcStatus.internal, 'Error deserializing request');
  }
  return service;
}

/** A HealthCheckResponse: `status`, its one field. */
function answer(status: ServingStatus): Uint8Array {
  return Uint8Array.of(0x08, status);
}

/** One entry of the map in a HealthListResponse. */
function entry(service: string, status: ServingStatus): Uint8Array {
  const name = Buffer.from(service);
  const told = answer(status);
  const inside = Buffer.from([0x0a, name.length, ...name, 0x12, told.length, ...told]);
  return Buffer.from([0x0a, inside.length, ...inside]);
}
