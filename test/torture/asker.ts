import { Client, credentials } from '@grpc/grpc-js';
import { CheckResponse } from '../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { checkRequest } from '../e2e/check-client.ts';
import type { Address } from '../real/postern.ts';
import type { Verdict } from './checks/history.ts';

export interface CheckAnswer {
  readonly verdict: Verdict;
  /** Of a denial; of no answer, what gRPC says. */
  readonly reason: string;
}

/** Asks Checks of one service process on one connection, which comes back by itself. */
export interface Asker {
  /** A key's Checks ask for the same permission each time; null for none. */
  ask(key: string, permission: string | null, deadlineMs: number): Promise<CheckAnswer>;
  close(): void;
}

const path = '/envoy.service.auth.v3.Authorization/Check';
const asIs = (bytes: Buffer) => bytes;
/** Requests that are kept ready. */
const requestsMax = 10_000;

export function createAsker({ host, port }: Address): Asker {
  const client = new Client(`${host}:${port}`, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 300,
    // One channel of its own for each asker.
    'grpc.use_local_subchannel_pool': 1,
  });
  return {
    ask(key, permission, deadlineMs) {
      const request = requestFor(key, permission);
      const { promise, resolve } = Promise.withResolvers<CheckAnswer>();
      const options = { deadline: Date.now() + deadlineMs };
      client.makeUnaryRequest(path, asIs, CheckResponse.decode, request, options, (error, answer) => {
        resolve(
          error || answer === undefined ? { verdict: 'none', reason: String(error?.code) } : read(answer),
        );
      });
      return promise;
    },
    close: () => client.close(),
  };
}

const requests = new Map<string, Buffer>();

function requestFor(key: string, permission: string | null): Buffer {
  const ready = requests.get(key);
  if (ready !== undefined) return ready;
  if (requests.size >= requestsMax) requests.clear();
  const context = permission === null ? {} : { permissions: permission };
  const made = Buffer.from(checkRequest({ authorization: `Bearer ${key}` }, undefined, context));
  requests.set(key, made);
  return made;
}

function read({ status, httpResponse, dynamicMetadata }: CheckResponse): CheckAnswer {
  if (status?.code === 0 && httpResponse?.$case === 'okResponse') return { verdict: 'allowed', reason: '' };
  const reason = String(dynamicMetadata?.reason ?? 'no reason');
  return { verdict: reason === 'unavailable' ? 'unavailable' : 'denied', reason };
}
