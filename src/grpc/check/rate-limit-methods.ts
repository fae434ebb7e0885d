import type { ChargeHits, LimitStatus } from '../../limits/hits.ts';
import { RpcError, type RpcMethod, rpcStatus } from '../../net/rpc.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { BackwardWriter } from './backward-writer.ts';
import { readLimitHits } from './rate-limit-request.ts';

export const rateLimitServiceName = 'envoy.service.ratelimit.v3.RateLimitService';

/** Tags: field × 8 + wire type, 2 for texts and messages, 0 for numbers. */
const response = { overallCode: 8, statuses: 18 } as const;
const status = { code: 8, currentLimit: 18, remaining: 24, untilReset: 34 } as const;
const currentLimit = { requestsPerUnit: 8, unit: 16, name: 26 } as const;
const seconds = 8;
const codes = { ok: 1, overLimit: 2 } as const;
const units = { SECOND: 1, MINUTE: 2, HOUR: 3, DAY: 4, MONTH: 5 } as const;
const uint32Max = 4_294_967_295;

/** `ShouldRateLimit` of Envoy's rate limit service: charges keys for requests that have run, or are about to. */
export function createRateLimitMethods(chargeHits: ChargeHits): ReadonlyMap<string, RpcMethod> {
  const writer = new BackwardWriter();
  const method: RpcMethod = {
    kind: 'unary',
    async handle(bytes) {
      const charged = await chargeHits(readLimitHits(bytes)).catch(toRpcError);
      if (typeof charged === 'string') throw new RpcError(rpcStatus.invalidArgument, charged);
      return written(writer, charged);
    },
  };
  return new Map([[`/${rateLimitServiceName}/ShouldRateLimit`, method]]);
}

function toRpcError(error: unknown): never {
  if (!(error instanceof StoreUnavailable)) throw error;
  throw new RpcError(rpcStatus.unavailable, 'the store cannot be reached');
}

function written(writer: BackwardWriter, statuses: readonly LimitStatus[]): Uint8Array {
  writer.clear();
  for (const one of statuses.toReversed()) writeStatus(writer, one);
  const isOver = statuses.some(({ wasSpent }) => wasSpent);
  writer.number(response.overallCode, isOver ? codes.overLimit : codes.ok);
  return writer.take();
}

function writeStatus(writer: BackwardWriter, one: LimitStatus): void {
  const since = writer.length;
  if (one.resetsInSeconds !== null) {
    const durationSince = writer.length;
    writer.number(seconds, one.resetsInSeconds);
    writer.message(status.untilReset, durationSince);
  }
  writer.number(status.remaining, Math.min(one.remaining, uint32Max));
  const limitSince = writer.length;
  writer.text(currentLimit.name, one.name);
  if (one.unit !== null) writer.number(currentLimit.unit, units[one.unit]);
  writer.number(currentLimit.requestsPerUnit, Math.min(one.limit, uint32Max));
  writer.message(status.currentLimit, limitSince);
  writer.number(status.code, one.wasSpent ? codes.overLimit : codes.ok);
  writer.message(response.statuses, since);
}
