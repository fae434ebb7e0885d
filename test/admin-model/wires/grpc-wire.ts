import { type Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo } from '../../../src/grpc/gen/google/rpc/error_details.ts';
import { Status } from '../../../src/grpc/gen/google/rpc/status.ts';
import { KeyAdminService } from '../../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { type Ask, answered, type Refused, type Wire } from '../ask.ts';
import { untilTold } from '../shown.ts';
import { answerOf, eventOf } from './grpc-answers.ts';
import { requestOf } from './grpc-requests.ts';

type Methods = Readonly<Record<string, (...given: unknown[]) => AsyncIterable<unknown> & Cancellable>>;

interface Cancellable {
  cancel(): void;
  end(message: unknown): void;
}

/** Calls by gRPC. */
export function createGrpcWire(client: Client): Wire {
  const methods = client as Client & Methods;
  return {
    name: 'gRPC',
    async call(ask, { authorization, requestId }) {
      const metadata = new Metadata();
      if (authorization !== null) metadata.set('authorization', authorization);
      if (requestId !== null) metadata.set('x-request-id', requestId);
      try {
        return answered(await call(methods, ask, metadata));
      } catch (error) {
        if (!(error instanceof Error) || !('metadata' in error)) throw error;
        return refusalOf(error as ServiceError, ask);
      }
    },
  };
}

async function call(methods: Methods, ask: Ask, metadata: Metadata): Promise<unknown> {
  const request = requestOf(ask);
  const { requestStream, responseStream } = KeyAdminService[ask.operation];
  const method = (...given: unknown[]) => {
    const made = methods[ask.operation];
    if (made === undefined) throw new Error(`there is no method ${ask.operation}`);
    return made.apply(methods, given);
  };
  if (requestStream) {
    const stream = method(metadata);
    stream.end(request);
    for await (const answer of stream) return answerOf(ask, answer);
    throw new Error('the stream ended without an answer');
  }
  if (responseStream) {
    const stream = method(request, metadata);
    try {
      return { events: await untilTold(eventsIn(stream), ask.until) };
    } finally {
      stream.cancel();
    }
  }
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  method(request, metadata, (error: unknown, answer: unknown) => (error ? reject(error) : resolve(answer)));
  return answerOf(ask, await promise);
}

async function* eventsIn(stream: AsyncIterable<unknown>) {
  for await (const answer of stream) {
    const event = eventOf(answer);
    if (event !== null) yield event;
  }
}

function refusalOf({ code, details, metadata }: ServiceError, { operation }: Ask): Refused {
  const [bytes] = metadata.get('grpc-status-details-bin');
  const [info, bad] = bytes === undefined ? [] : Status.decode(bytes as Buffer).details;
  const { reason } = ErrorInfo.decode(info?.value ?? new Uint8Array());
  const violations = bad === undefined ? [] : BadRequest.decode(bad.value).fieldViolations;
  // In UpdateKeyRequest the fields stand in `key`, in UpdateOwnerRequest in `owner`.
  const fields = violations.map(({ field }) =>
    ['updateKey', 'updateOwner'].includes(operation) ? field.replace(/^(?:key|owner)\./, '') : field,
  );
  return { ok: false, code: status[code] ?? String(code), reason, message: details, fields };
}
