import type { handleUnaryCall, ServerUnaryCall, ServiceDefinition } from '@grpc/grpc-js';
import type {
  Answered,
  HeldKey,
  Holder,
  HolderCall,
  HolderOperation,
  HolderSettings,
} from '../../admin/holder/holder.ts';
import { keyState } from '../../keys/key.ts';
import { principalOf } from '../../net/certificate-names.ts';
import { withClampedNumbers } from '../admin/clamped-numbers.ts';
import { keyStates } from '../admin/messages/key-message.ts';
import { rotatedMessage } from '../admin/messages/rotation-message.ts';
import { narrowedMessage } from '../admin/messages/settlement-message.ts';
import { durationText, seconds } from '../admin/messages/time-message.ts';
import { usedLimitMessage } from '../admin/messages/used-limit-message.ts';
import { callerOf } from '../admin/unary.ts';
import {
  type HeldKey as HeldKeyMessage,
  type KeyHolderServer,
  KeyHolderService,
  type RotateKeyRequest,
} from '../gen/postern/holder/v1/key_holder.ts';
import type { GrpcService } from '../server.ts';
import { isUnexpected, toGrpcError } from '../status.ts';
import { denialError } from './denial-error.ts';

export interface HolderServiceDependencies {
  readonly holder: Holder;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Told of an error that the caller is not shown. */
  readonly onBroken: (error: unknown) => void;
}

const methodOf = {
  read: 'getKey',
  revoke: 'revokeKey',
  rotate: 'rotateKey',
} as const satisfies Record<HolderOperation, keyof typeof KeyHolderService>;

/**
 * `postern.holder.v1.KeyHolder` on grpc-js. A call that the settings turn off is as one that there is not; null where
 * they turn all of them off.
 */
export function createHolderService(
  dependencies: HolderServiceDependencies,
  settings: HolderSettings,
): GrpcService | null {
  const implementation = createMethods(dependencies);
  const all: ServiceDefinition = withClampedNumbers(KeyHolderService);
  const there = Object.entries(methodOf).flatMap(([operation, method]) => {
    const definition = all[method];
    return settings[operation as HolderOperation] && definition !== undefined
      ? [[method, definition] as const]
      : [];
  });
  if (there.length === 0) return null;
  return { name: 'postern.holder.v1.KeyHolder', definition: Object.fromEntries(there), implementation };
}

function createMethods({ holder, now, onBroken }: HolderServiceDependencies): KeyHolderServer {
  return {
    getKey: method(
      (call) => holder.read(call),
      (held) => ({ key: heldMessage(held, now()) }),
    ),
    revokeKey: method(
      (call) => holder.revoke(call, {}),
      (revoked) => narrowedMessage(revoked, now()),
    ),
    rotateKey: method(
      (call, request: RotateKeyRequest) => holder.rotate(call, rotateInputOf(request)),
      (rotated) => rotatedMessage(rotated, now()),
    ),
  };

  /** Tells a key that may not pass so as a Check tells gRPC callers. */
  function method<Request, Answer, Response>(
    operate: (call: HolderCall, request: Request) => Promise<Answered<Answer>>,
    message: (answer: Answer) => Response,
  ): handleUnaryCall<Request, Response> {
    return async (call, callback) => {
      let response: Response;
      try {
        const answered = await operate(holderCallOf(call), call.request);
        if (answered.denied !== null) return callback(denialError(answered.denied));
        response = message(answered.answer);
      } catch (error) {
        if (isUnexpected(error)) onBroken(error);
        return callback(toGrpcError(error));
      }
      callback(null, response);
    };
  }
}

function holderCallOf(call: ServerUnaryCall<unknown, unknown>): HolderCall {
  const { address, requestId = null, certificateNames = [] } = callerOf(call);
  return {
    ...{ method: 'POST', host: call.getHost(), path: call.getPath() },
    ...{ address, requestId, principal: principalOf(certificateNames) },
    header: (name) => call.metadata.get(name).map(String),
  };
}

/** In the shape that REST has; what a protobuf caller left unset is left out. */
function rotateInputOf({ grace_period, request_id }: RotateKeyRequest): Record<string, unknown> {
  return {
    ...(grace_period !== undefined && { grace_period: durationText(grace_period) }),
    ...(request_id !== undefined && { request_id }),
  };
}

function heldMessage({ key, permissions, limits }: HeldKey, at: number): HeldKeyMessage {
  const { id, name, prefix, last4, scheme, environment } = key;
  return {
    ...{ id, name, prefix, last4, scheme, environment, owner: key.owner ?? undefined },
    ...{ permissions: [...permissions], expires_at: seconds(key.expiresAt) },
    ...{ state: keyStates[keyState(key, at)], limits: limits.map(usedLimitMessage) },
  };
}
