/** grpc.health.v1.Health: the status of a whole listener and of its one service. */
import { type Server, type ServerWritableStream, status } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';

export interface Health {
  setServing(serving: boolean): void;
  /** A watch never ends by itself: it would hold up the drain as long as a drain may last. */
  endWatches(): void;
}

/** Adds the service, which says NOT_SERVING until it is told otherwise. */
export function addHealth(server: Pick<Server, 'addService'>, serviceName: string): Health {
  const health = new HealthImplementation({ '': 'NOT_SERVING', [serviceName]: 'NOT_SERVING' });
  const watches = new Set<ServerWritableStream<unknown, unknown>>();
  health.addToServer({
    addService(definition, { watch, ...rest }) {
      const answer = watch as (call: ServerWritableStream<unknown, unknown>) => void;
      server.addService(definition, {
        ...rest,
        watch(call: ServerWritableStream<unknown, unknown>) {
          watches.add(call);
          call.on('cancelled', () => watches.delete(call));
          answer(call);
        },
      });
    },
  });
  return {
    setServing(serving) {
      for (const name of ['', serviceName]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
    },
    endWatches() {
      const details = 'the server is shutting down';
      for (const call of watches) call.emit('error', { code: status.UNAVAILABLE, details });
      watches.clear();
    },
  };
}
