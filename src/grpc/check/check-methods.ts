import type { ChargeHits } from '../../limits/hits.ts';
import { RpcError, type RpcMethod, type RpcMethods, rpcStatus } from '../../net/rpc.ts';
import { createHealth, type Health } from '../health-methods.ts';
import { createReflectionMethods } from '../reflection-methods.ts';
import { CheckUnavailable } from './check-response.ts';
import type { Answer } from './check-server.ts';
import { createRateLimitMethods, rateLimitServiceName } from './rate-limit-methods.ts';

/** What the listener for Checks serves: Check, the rate limit service, health and reflection. */
export interface CheckMethods extends Health {
  readonly methods: RpcMethods;
}

const serviceName = 'envoy.service.auth.v3.Authorization';

export function createCheckMethods(answer: Answer, chargeHits: ChargeHits): CheckMethods {
  const health = createHealth([serviceName]);
  const methods = new Map<string, RpcMethod>([
    [`/${serviceName}/Check`, checkMethod(answer)],
    ...createRateLimitMethods(chargeHits),
    ...health.methods,
    ...createReflectionMethods([serviceName, rateLimitServiceName, 'grpc.health.v1.Health']),
  ]);
  return { ...health, methods };
}

/** Only a Check that is to fail as a call does; anything else that is thrown is broken, and so INTERNAL. */
function checkMethod(answer: Answer): RpcMethod {
  return {
    kind: 'unary',
    handle(request, caller) {
      const answered = answer(request, caller);
      return answered instanceof Promise ? answered.catch(rethrow) : answered;
    },
  };
}

function rethrow(error: unknown): never {
  throw error instanceof CheckUnavailable ? new RpcError(rpcStatus.unavailable, error.message) : error;
}
