import {
  type ClientReadableStream,
  credentials,
  makeGenericClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { SocketAddress_Protocol } from '../../src/grpc/gen/envoy/config/core/v3/address.ts';
import type { AttributeContext_Peer } from '../../src/grpc/gen/envoy/service/auth/v3/attribute_context.ts';
import {
  AuthorizationService,
  CheckRequest,
  CheckResponse,
} from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';

/** What a Check was answered, without an Envoy in between. */
export interface CheckAnswer {
  /** Of the CheckResponse: 0 lets the request pass. */
  readonly code: number;
  /** Undefined for an allow, and for an answer that Envoy's failure mode decides on. */
  readonly httpStatus: number | undefined;
  readonly reason: unknown;
  readonly misconfigured: unknown;
}

const { check } = AuthorizationService;
const bytesService = {
  check: {
    ...check,
    requestSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
    responseDeserialize: CheckResponse.decode,
  },
};
const CheckClient = makeGenericClientConstructor(bytesService, 'Authorization');
const HealthClient = makeGenericClientConstructor(healthService, 'Health');
type Unary<Q, A> = (request: Q, done: (error: ServiceError | null, answer: A) => void) => void;

/** A CheckRequest for `GET /` with these headers, from an address where one is given. */
export function checkRequest(
  headers: Readonly<Record<string, string>>,
  address?: string,
  contextExtensions: Readonly<Record<string, string>> = {},
): Uint8Array {
  const http = {
    ...{ id: '', method: 'GET', headers: { ...headers }, headerMap: undefined, path: '/', host: 'localhost' },
    ...{ scheme: 'http', query: '', fragment: '', size: 0, protocol: 'HTTP/1.1' },
    ...{ body: '', rawBody: new Uint8Array() },
  };
  const attributes = {
    source: address === undefined ? undefined : peerAt(address),
    ...{ destination: undefined, request: { time: undefined, http } },
    ...{
      contextExtensions: { ...contextExtensions },
      metadataContext: undefined,
      routeMetadataContext: undefined,
    },
    tlsSession: undefined,
  };
  return CheckRequest.encode({ attributes }).finish();
}

function peerAt(address: string): AttributeContext_Peer {
  const port = { portSpecifier: { $case: 'portValue', value: 40_000 }, resolverName: '' } as const;
  const value = { protocol: SocketAddress_Protocol.TCP, address, ...port, ipv4Compat: false };
  return {
    address: { address: { $case: 'socketAddress', value } },
    ...{ service: '', labels: {}, principal: '', certificate: '' },
  };
}

/** Sends these bytes as a CheckRequest to `host:port` or `unix:/path`; rejects with a gRPC error. */
export async function sendCheck(address: string, request: Uint8Array): Promise<CheckAnswer> {
  return answerOf(await call<Uint8Array, CheckResponse>(CheckClient, address, 'check', request));
}

/** As {@link sendCheck}, many over one connection, until it is closed. */
export function openCheckClient(address: string) {
  const client = new CheckClient(address, credentials.createInsecure());
  return {
    send: (request: Uint8Array) =>
      new Promise<CheckAnswer>((resolve, reject) => {
        (client.check as Unary<Uint8Array, CheckResponse>).call(client, request, (error, answer) =>
          error ? reject(error) : resolve(answerOf(answer)),
        );
      }),
    close: () => client.close(),
  };
}

function answerOf(answer: CheckResponse): CheckAnswer {
  const { status, httpResponse, dynamicMetadata } = answer;
  const denied = httpResponse?.$case === 'deniedResponse' ? httpResponse.value : undefined;
  return {
    code: status?.code ?? -1,
    httpStatus: denied?.status?.code,
    reason: dynamicMetadata?.reason,
    misconfigured: dynamicMetadata?.misconfigured,
  };
}

/** `SERVING` or `NOT_SERVING`, of the whole listener unless a service is named. */
export async function health(address: string, service = ''): Promise<string> {
  const request = { service };
  const { status } = await call<typeof request, { status: string }>(HealthClient, address, 'check', request);
  return status;
}

export interface Watch {
  /** What it has been told so far. */
  readonly seen: readonly string[];
  stop(): void;
}

/** Watches the health of a whole listener, as a client does that balances its own load. */
export function watchHealth(address: string): Watch {
  const client = new HealthClient(address, credentials.createInsecure());
  const seen: string[] = [];
  const stream: ClientReadableStream<{ status: string }> = client.watch?.({ service: '' });
  stream.on('data', ({ status }) => seen.push(status));
  // The end of the server ends the watch.
  stream.on('error', () => {});
  return {
    seen,
    stop() {
      stream.cancel();
      client.close();
    },
  };
}

async function call<Q, A>(
  Client: ReturnType<typeof makeGenericClientConstructor>,
  address: string,
  method: string,
  request: Q,
): Promise<A> {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_send_message_length': -1 });
  const { promise, resolve, reject } = Promise.withResolvers<A>();
  (client[method] as Unary<Q, A>).call(client, request, (error, answer) => {
    client.close();
    if (error) reject(error);
    else resolve(answer);
  });
  return promise;
}
