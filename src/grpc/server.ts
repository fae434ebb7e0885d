/**
 * Room `grpc/`: Envoy's and KeyAdmin's protobuf. Here: codecs, methods, statuses, reflection; gen/ is
 * generated. Not here: decisions and operations.
 */

import { chmod } from 'node:fs/promises';
import {
  logVerbosity,
  Server,
  type ServerOptions,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { formatListen, type Listen, ListenError, whyNotOpened } from '../net/listen.ts';
import type { TlsSource } from '../net/tls.ts';
import { removeStaleSocket } from '../net/unix-socket.ts';
import { addMethods } from './added-methods.ts';
import { createHealth } from './health-methods.ts';
import { createReflectionMethods } from './reflection-methods.ts';
import { credentialsOf } from './tls-credentials.ts';

/** A gRPC listener with health and reflection beside its services. */
export interface GrpcListener {
  /** Resolves to where it listens; rejects with a `ListenError` when it cannot. */
  listen(listen: Listen): Promise<Listen>;
  setServing(serving: boolean): void;
  /** Takes no more calls, finishes those under way within `drainMs`, then ends the rest. */
  close(drainMs: number): Promise<void>;
}

export interface GrpcService {
  /** The full name: `postern.admin.v1.KeyAdmin`. */
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface GrpcListenerOptions {
  readonly requestBytesMax: number;
  /** Cleartext where there is none. */
  readonly tls?: TlsSource | null;
}

/**
 * The most that one connection may take. grpc-js bounds none of it by itself: a caller that sends calls as fast as they
 * go and reads no answer made it hold 700 MB. What is past a bound is refused by nghttp2, before there is a call; who
 * does not answer a PING for `pingMaxMs`, as one who reads nothing cannot, loses the connection.
 */
const bounds = { streamsMax: 100, sessionMiB: 16, keepaliveMs: 20_000, pingMaxMs: 10_000 };
const mebibyte = 1_024 * 1_024;

export function createGrpcListener(
  service: GrpcService | readonly GrpcService[],
  options: GrpcListenerOptions,
): GrpcListener {
  // It would write to standard error, between the lines of our log, what is answered or thrown here anyway.
  setLogVerbosity(logVerbosity.NONE);
  const serverOptions: ServerOptions = {
    'grpc.max_receive_message_length': options.requestBytesMax,
    'grpc.max_concurrent_streams': bounds.streamsMax,
    // Some messages of the largest size may be under way.
    'grpc-node.max_session_memory': bounds.sessionMiB + Math.ceil((4 * options.requestBytesMax) / mebibyte),
    'grpc.keepalive_time_ms': bounds.keepaliveMs,
    'grpc.keepalive_timeout_ms': bounds.pingMaxMs,
  };
  const server = new Server(serverOptions);
  const credentials = credentialsOf(options.tls ?? null);
  const services = [service].flat();
  const names = services.map(({ name }) => name);
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  const health = createHealth(names);
  addMethods(server, health.methods);
  addMethods(server, createReflectionMethods([...names, 'grpc.health.v1.Health']));

  return {
    async listen(listen) {
      if (listen.kind === 'unix') await freeSocket(listen);
      const address = formatListen(listen);
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync(address, credentials, (error, bound) => {
          if (error === null) resolve(bound);
          else reject(new ListenError(whyNotOpened(listen, error.message)));
        });
      });
      // Every user of the machine may connect, Envoy's among them; the folder's rights say who reaches it.
      if (listen.kind === 'unix') await chmod(listen.path, 0o666);
      return listen.kind === 'unix' ? listen : { ...listen, port };
    },
    setServing: health.setServing,
    close(drainMs) {
      health.endWatches();
      return new Promise((resolve) => {
        const force = setTimeout(() => server.forceShutdown(), drainMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      });
    },
  };
}

async function freeSocket(listen: Listen & { kind: 'unix' }): Promise<void> {
  try {
    await removeStaleSocket(listen.path);
  } catch (error) {
    throw new ListenError(whyNotOpened(listen, (error as Error).message));
  }
}
