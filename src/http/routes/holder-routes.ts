import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type {
  Answered,
  HeldKey,
  Holder,
  HolderCall,
  HolderDenial,
  HolderSettings,
} from '../../admin/holder/holder.ts';
import { narrowedJson } from '../../changes/key-json.ts';
import { usedLimitJson } from '../../changes/limit-json.ts';
import { keyState } from '../../keys/key.ts';
import { principalOf } from '../../net/certificate-names.ts';
import { formatTime } from '../../time/time.ts';
import { callerOf, everyValue } from '../caller.ts';
import { type Input, optionalBodyInput, withIdempotencyKey } from '../input.ts';
import { wireErrorAnswer } from '../status.ts';
import { rotatedJson } from './key-change-routes.ts';

export interface HolderRoutes {
  readonly holder: Holder;
  readonly settings: HolderSettings;
}

/** What whoever has a key may do with it, under `/api-key`; what is off is as a path that is not there. */
export function addHolderRoutes(
  app: FastifyInstance,
  { holder, settings }: HolderRoutes,
  now: () => number,
): void {
  app.get('/api-key', async (request, reply) =>
    answer(reply, settings.read ? await holder.read(callOf(request)) : null, (held) => heldJson(held, now())),
  );
  app.delete('/api-key', async (request, reply) =>
    answer(
      reply,
      settings.revoke ? await run(inputOf(request), (value) => holder.revoke(callOf(request), value)) : null,
      (revoked) => narrowedJson(revoked, now()),
    ),
  );
  app.post('/api-key::rotate', async (request, reply) => {
    if (!settings.rotate) return answer(reply, null, () => null);
    const input = withIdempotencyKey(inputOf(request), request);
    const rotated = await run(input, (value) => holder.rotate(callOf(request), value));
    if (rotated.denied === null) reply.code(201);
    return answer(reply, rotated, (made) => rotatedJson(made, now()));
  });

  /** The key itself may stand in the address. */
  function inputOf(request: FastifyRequest): Input {
    return optionalBodyInput(request, holder.keyParameters());
  }
}

/** What a key that may not pass is told goes before what is wrong with the request, which no call takes as null. */
async function run<T>(
  { value, fault }: Input,
  call: (value: unknown) => Promise<Answered<T>>,
): Promise<Answered<T>> {
  const answered = await call(value).catch((error: unknown) => {
    throw fault ?? error;
  });
  if (fault !== null && answered.denied === null) throw fault;
  return answered;
}

/** The members that the contract names, in its order. */
function heldJson({ key, permissions, limits }: HeldKey, at: number) {
  const { id, name, prefix, last4, scheme, environment, owner, expiresAt } = key;
  return {
    ...{ id, name, prefix, last4, scheme, environment, owner, permissions },
    expires_at: expiresAt === null ? null : formatTime(expiresAt),
    state: keyState(key, at),
    limits: limits.map(usedLimitJson),
  };
}

function callOf({ raw }: FastifyRequest): HolderCall {
  const { address, requestId = null, certificateNames = [] } = callerOf(raw);
  return {
    ...{ method: raw.method ?? '', host: everyValue(raw, 'host')[0] ?? '', path: raw.url ?? '' },
    ...{ address, requestId, principal: principalOf(certificateNames) },
    header: (name) => everyValue(raw, name),
  };
}

function answer<T>(reply: FastifyReply, answered: Answered<T> | null, json: (answer: T) => unknown) {
  if (answered === null) {
    const { status, body } = wireErrorAnswer(404);
    return reply.code(status).send(body);
  }
  return answered.denied === null ? { data: json(answered.answer) } : deny(reply, answered.denied);
}

function deny(reply: FastifyReply, { status, headers, body }: HolderDenial) {
  for (const [name, value] of headers) reply.header(name, value);
  return reply.code(status).send(body);
}
