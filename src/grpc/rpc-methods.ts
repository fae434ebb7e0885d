/** Services written for grpc-js, health and reflection, on a transport that knows nothing of it. */
import { Duplex } from 'node:stream';
import {
  Metadata,
  type MethodDefinition,
  type Server,
  type ServiceDefinition,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { RpcError, type RpcMethod, type RpcStream, type RpcStreamListener } from '../net/rpc.ts';

type AnyMethod = MethodDefinition<unknown, unknown>;
type AnyHandler = (call: unknown, callback?: unknown) => void;

/** Stands where a grpc-js server would: what is added to it becomes methods. */
export interface MethodTable extends Pick<Server, 'addService'> {
  readonly methods: Map<string, RpcMethod>;
}

export function createMethodTable(): MethodTable {
  const methods = new Map<string, RpcMethod>();
  return {
    methods,
    addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation) {
      for (const [name, method] of Object.entries<AnyMethod>(definition)) {
        const handler = implementation[name] ?? implementation[method.originalName ?? ''];
        if (handler !== undefined) methods.set(method.path, adapt(method, handler as AnyHandler));
      }
    },
  };
}

function adapt(method: AnyMethod, handler: AnyHandler): RpcMethod {
  if (!method.requestStream && !method.responseStream) {
    return { kind: 'unary', handle: (request) => callUnary(method, handler, request) };
  }
  return { kind: 'stream', start: (stream) => startStream(method, handler, stream) };
}

function callUnary(method: AnyMethod, handler: AnyHandler, bytes: Uint8Array): Promise<Uint8Array> {
  const request = deserialize(method, bytes);
  return new Promise((resolve, reject) => {
    const call = { request, metadata: new Metadata(), cancelled: false };
    handler(call, (error: Partial<ServiceError> | null, answer: unknown) => {
      if (error) reject(toRpcError(error));
      else resolve(method.responseSerialize(answer));
    });
  });
}

function startStream(method: AnyMethod, handler: AnyHandler, rpc: RpcStream): RpcStreamListener {
  const call = new CallStream(method, rpc);
  if (method.requestStream) handler(call);
  return {
    onMessage(message) {
      const request = deserialize(method, message);
      if (method.requestStream) {
        if (!call.push(request)) rpc.pause();
      } else if (call.request !== undefined) {
        const details = `Received a second request message for server streaming method ${method.path}`;
        throw new RpcError(status.UNIMPLEMENTED, details);
      } else {
        call.request = request;
      }
    },
    onHalfClose() {
      if (method.requestStream) {
        call.push(null);
      } else if (call.request !== undefined) {
        handler(call);
      } else {
        const details = `Received no request message for server streaming method ${method.path}`;
        throw new RpcError(status.UNIMPLEMENTED, details);
      }
    },
    onCancelled: () => call.cancel(),
  };
}

/** As much of grpc-js's `ServerDuplexStream` and `ServerWritableStream` as these services use. */
class CallStream extends Duplex {
  readonly metadata = new Metadata();
  /** The one request of a server streaming call. */
  request: unknown;
  cancelled = false;
  readonly #method: AnyMethod;
  readonly #rpc: RpcStream;

  constructor(method: AnyMethod, rpc: RpcStream) {
    super({ objectMode: true });
    this.#method = method;
    this.#rpc = rpc;
    // Services end a call with a status by emitting it as an error.
    this.on('error', (error) => this.#end(toRpcError(error)));
  }

  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.emit('cancelled', 'cancelled');
    this.destroy();
  }

  override _read(): void {
    this.#rpc.resume();
  }

  override _write(answer: unknown, _encoding: BufferEncoding, onSent: () => void): void {
    this.#rpc.send(this.#method.responseSerialize(answer), onSent);
  }

  override _final(onFinished: () => void): void {
    this.#end();
    onFinished();
  }

  #end(error?: RpcError): void {
    if (this.cancelled) return;
    this.#rpc.end(error);
    this.cancel();
  }
}

function deserialize(method: AnyMethod, bytes: Uint8Array): unknown {
  try {
    return method.requestDeserialize(Buffer.from(bytes));
  } catch {
    throw new RpcError(status.INTERNAL, 'Error deserializing request');
  }
}

function toRpcError(error: Partial<ServiceError>): RpcError {
  return new RpcError(error.code ?? status.UNKNOWN, error.details ?? error.message ?? 'Unknown error');
}
