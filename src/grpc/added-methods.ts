/** Methods that know nothing of grpc-js, health and reflection, on a server of grpc-js. */
import {
  Metadata,
  type MethodDefinition,
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { RpcError, type RpcMethod, type RpcMethods, type RpcStreamListener } from '../net/rpc.ts';

/** Adds each under its path. Told of no error: what is thrown is answered, as the other transport does. */
export function addMethods(server: Pick<Server, 'addService'>, methods: RpcMethods): void {
  const entries = [...methods];
  server.addService(
    Object.fromEntries(entries.map(([path, { kind }]) => [path, definitionOf(path, kind === 'stream')])),
    Object.fromEntries(entries.map(([path, method]) => [path, handlerOf(method)])),
  );
}

/** Messages stay bytes. On the wire a stream of one message is the same as one message. */
function definitionOf(path: string, isStream: boolean): MethodDefinition<Buffer, Uint8Array> {
  return {
    ...{ path, requestStream: isStream, responseStream: isStream },
    requestSerialize: (bytes) => bytes,
    requestDeserialize: (bytes) => bytes,
    responseSerialize: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    responseDeserialize: (bytes) => bytes,
  };
}

const noTrace = { traceparent: '', tracestate: '' };

function handlerOf(method: RpcMethod) {
  if (method.kind === 'stream')
    return (call: ServerDuplexStream<Buffer, Uint8Array>) => startStream(method, call);
  return async (call: ServerUnaryCall<Buffer, Uint8Array>, answer: sendUnaryData<Uint8Array>) => {
    try {
      answer(null, await method.handle(call.request, noTrace));
    } catch (error) {
      answer(toStatus(error));
    }
  };
}

function startStream(
  method: RpcMethod & { kind: 'stream' },
  call: ServerDuplexStream<Buffer, Uint8Array>,
): void {
  let isOver = false;
  const fail = (error: unknown) => {
    if (isOver) return;
    isOver = true;
    call.removeAllListeners('data').pause();
    call.emit('error', toStatus(error));
  };
  const listener: RpcStreamListener = method.start({
    send(message, onSent) {
      if (isOver) return;
      if (call.write(message)) {
        if (onSent !== undefined) setImmediate(onSent);
      } else if (onSent !== undefined) call.once('drain', onSent);
    },
    end(error) {
      if (error !== undefined) fail(error);
      else if (!isOver) {
        isOver = true;
        call.end();
      }
    },
    pause: () => void call.pause(),
    resume: () => void call.resume(),
  });
  const tell = (told: () => void) => {
    if (isOver) return;
    try {
      told();
    } catch (error) {
      fail(error);
    }
  };
  call.on('data', (message: Buffer) => tell(() => listener.onMessage(message)));
  call.on('end', () => tell(() => listener.onHalfClose()));
  call.on('cancelled', () => {
    isOver = true;
    listener.onCancelled();
  });
}

function toStatus(error: unknown): { code: number; details: string; metadata: Metadata } {
  if (error instanceof RpcError)
    return { code: error.code, details: error.message, metadata: new Metadata() };
  return { code: status.INTERNAL, details: 'Something went wrong.', metadata: new Metadata() };
}
