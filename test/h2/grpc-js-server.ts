import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import type { Listen } from '../../src/net/listen.ts';
import { RpcError, type RpcMethods } from '../../src/net/rpc.ts';

const asIs = (bytes: Uint8Array) => Buffer.from(bytes);

/** The methods of a test as grpc-js knows them, with bytes for messages. */
export function serviceOf(methods: RpcMethods): ServiceDefinition {
  const definitions = [...methods].map(([path, { kind }]) => {
    const isStream = kind === 'stream';
    const codec = {
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    return [path.split('/')[2], { path, requestStream: isStream, responseStream: isStream, ...codec }];
  });
  return Object.fromEntries(definitions);
}

/** The same methods, served by grpc-js. */
export async function serveByGrpcJs(methods: RpcMethods, requestBytesMax: number) {
  const server = new Server({ 'grpc.max_receive_message_length': requestBytesMax });
  server.addService(
    serviceOf(methods),
    Object.fromEntries(
      [...methods].map(([path, method]) => [
        path.split('/')[2],
        method.kind === 'unary' ? unary(method.handle) : bidi(method.start),
      ]),
    ),
  );
  const port = await new Promise<number>((resolve, reject) => {
    const bound = (error: Error | null, to: number) => (error ? reject(error) : resolve(to));
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), bound);
  });
  const listen: Listen = { kind: 'tcp', host: '127.0.0.1', port };
  return { listen, close: () => server.forceShutdown() };
}

type Handle = Extract<ReturnType<RpcMethods['get']>, { kind: 'unary' }>['handle'];
type Start = Extract<ReturnType<RpcMethods['get']>, { kind: 'stream' }>['start'];

function unary(handle: Handle): handleUnaryCall<Buffer, Uint8Array> {
  return (call, callback) => {
    const told = (error: unknown) =>
      callback(error instanceof RpcError ? { code: error.code, details: error.message } : (error as Error));
    // What is thrown at once is grpc-js's own to answer.
    const answer = handle(call.request, { traceparent: '', tracestate: '' });
    if (answer instanceof Promise) answer.then((bytes) => callback(null, bytes), told);
    else callback(null, answer);
  };
}

function bidi(start: Start): handleBidiStreamingCall<Buffer, Uint8Array> {
  return (call) => {
    const listener = start({
      send: (bytes) => call.write(bytes),
      end: (error) => {
        if (error) call.emit('error', { code: error.code, details: error.message });
        else call.end();
      },
      pause: () => call.pause(),
      resume: () => call.resume(),
    });
    call.on('data', (bytes) => listener.onMessage(bytes));
    call.on('end', () => listener.onHalfClose());
  };
}
