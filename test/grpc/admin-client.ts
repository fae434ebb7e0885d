import {
  type ClientReadableStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import { expect, onTestFinished } from 'vitest';
import type { Admin } from '../../src/admin/admin.ts';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import { BadRequest, ErrorInfo } from '../../src/grpc/gen/google/rpc/error_details.ts';
import { Status } from '../../src/grpc/gen/google/rpc/status.ts';
import { KeyAdminService } from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { createTestService, type TestService, type TestServiceOptions } from '../service.ts';

/** A real gRPC listener over a whole core, and a client of it, until the test ends. */
export interface AdminClient {
  readonly service: TestService;
  /** `host:port` of the listener. */
  readonly address: string;
  /** What the callers were not shown. */
  readonly broken: readonly unknown[];
  /** A call with all rights unless the metadata says otherwise; a streaming one is given one message. */
  call<Response>(method: string, request: object, metadata?: Record<string, string[]>): Promise<Response>;
  /** Sends these bytes as a call's one message; its first answer's bytes, or what the status of a refused one says. */
  sendBytes(method: string, bytes: Uint8Array): Promise<Buffer | Refused>;
  /** What the status of a refused call says. */
  refusal(method: string, request: object, metadata?: Record<string, string[]>): Promise<Refused>;
}

export interface Refused {
  readonly code: number;
  readonly reason: string;
  readonly message: string;
  readonly fields: readonly { readonly field: string; readonly description: string }[];
}

export async function startAdmin(
  given: {
    readonly options?: TestServiceOptions;
    readonly admin?: Partial<Admin> | ((admin: Admin) => Partial<Admin>);
  } = {},
): Promise<AdminClient> {
  const service = await createTestService(given.options);
  const broken: unknown[] = [];
  const others = typeof given.admin === 'function' ? given.admin(service.admin) : given.admin;
  const admin = { ...service.admin, ...others };
  const listener = createGrpcListener(
    createAdminService({ admin, now: () => service.clock.now, onBroken: (error) => broken.push(error) }),
    { requestBytesMax: 65_536 },
  );
  const address = await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const Client = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  const client = new Client(formatListen(address), credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    service.tail.close();
    await listener.close(1_000);
    await service.store.close();
  });

  async function call<Response>(
    method: string,
    request: object,
    given: Record<string, string[]> = {},
  ): Promise<Response> {
    const all = { authorization: [service.adminAuthorization], ...given };
    const metadata = new Metadata();
    for (const [name, values] of Object.entries(all)) {
      for (const value of values) metadata.add(name, value);
    }
    const { requestStream, responseStream } = KeyAdminService[method as keyof typeof KeyAdminService];
    const invoke = (client[method] as (...args: unknown[]) => ClientReadableStream<Response>).bind(client);
    if (responseStream) {
      const stream = requestStream ? invoke(metadata) : invoke(request, metadata);
      if (requestStream && 'end' in stream) (stream.end as (message: object) => void)(request);
      return new Promise((resolve, reject) => {
        stream.once('data', resolve).once('error', reject);
      }).finally(() => stream.on('error', () => {}).cancel()) as Promise<Response>;
    }
    return new Promise((resolve, reject) => {
      invoke(request, metadata, (error: ServiceError | null, response: Response) =>
        error === null ? resolve(response) : reject(error),
      );
    });
  }

  async function sendBytes(method: string, bytes: Uint8Array): Promise<Buffer | Refused> {
    const metadata = new Metadata();
    metadata.set('authorization', service.adminAuthorization);
    const { path } = KeyAdminService[method as keyof typeof KeyAdminService];
    const asTheyAre = (message: Buffer) => message;
    return new Promise((resolve) => {
      // On the wire a stream of one message is the same as one message.
      const stream = client.makeBidiStreamRequest(path, asTheyAre, asTheyAre, metadata);
      stream.on('data', resolve);
      stream.on('error', (error) => resolve(readRefusal(error as ServiceError)));
      stream.end(Buffer.from(bytes));
    });
  }

  return {
    service,
    address: formatListen(address),
    broken,
    call,
    sendBytes,
    async refusal(method, request, metadata) {
      const error = await call(method, request, metadata).then(
        () => {
          throw new Error(`${method} was not refused`);
        },
        (refused: ServiceError) => refused,
      );
      return readRefusal(error);
    },
  };
}

/** Reads a status; expects of it what every error has: one ErrorInfo, and a BadRequest or nothing. */
function readRefusal(error: ServiceError): Refused {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  const [info, bad, ...more] = Status.decode(bytes as Buffer).details;
  expect(info?.typeUrl).toBe('type.googleapis.com/google.rpc.ErrorInfo');
  expect(more).toEqual([]);
  const { reason, domain } = ErrorInfo.decode(info?.value ?? new Uint8Array());
  expect(domain).toBe('postern');
  const violations = bad === undefined ? [] : BadRequest.decode(bad.value).fieldViolations;
  const fields = violations.map(({ field, description }) => ({ field, description }));
  return { code: error.code, reason, message: error.details, fields };
}
