import {
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { expect, it, onTestFinished } from 'vitest';
import { startEcho } from '../../real/echo.ts';
import { startChangedEnvoy, startConfigured } from '../routes.ts';
import { makeKey, send } from '../stack.ts';

const asIs = (bytes: Buffer) => bytes;
const path = '/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit';
const definition = {
  shouldRateLimit: {
    ...{ path, requestStream: false, responseStream: false },
    ...{
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  },
} as const;

/** Another's rate limit service, which says OK to all and keeps what it was asked. */
async function startRateLimitService() {
  const asked: Buffer[] = [];
  const server = new Server();
  const shouldRateLimit: UntypedHandleCall = (
    call: { request: Buffer },
    callback: (e: null, b: Buffer) => void,
  ) => {
    asked.push(call.request);
    callback(null, Buffer.from([8, 1]));
  };
  server.addService(makeGenericClientConstructor(definition, 'Test').service, { shouldRateLimit });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  onTestFinished(() => server.forceShutdown());
  return { asked, port };
}

it("Envoy's own rate limit filter reads the limit of the key from dynamic metadata", async () => {
  const [postern, echo, service] = await Promise.all([
    startConfigured(''),
    startEcho(),
    startRateLimitService(),
  ]);
  onTestFinished(async () => void (await Promise.all([postern.stop(), echo.stop()])));
  const filter = {
    name: 'envoy.filters.http.ratelimit',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit',
      ...{ domain: 'other', timeout: '10s', failure_mode_deny: true },
      rate_limit_service: {
        transport_api_version: 'V3',
        grpc_service: {
          google_grpc: { target_uri: `127.0.0.1:${service.port}`, stat_prefix: 'rls' },
        },
      },
      rate_limits: [
        {
          actions: [{ generic_key: { descriptor_value: 'all' } }],
          limit: {
            dynamic_metadata: {
              metadata_key: { key: 'envoy.filters.http.ext_authz', path: [{ key: 'rate_limit_override' }] },
            },
          },
        },
      ],
    },
  };
  const envoy = await startChangedEnvoy({
    ...{ checkAddress: postern.check, upstreamAddress: echo.address },
    filtersBehind: [filter],
  });
  onTestFinished(() => envoy.stop());
  const rate_limits = [
    { name: 'odd', limit: 5, window: '90s' },
    { name: 'monthly', limit: 300, period: 'month' },
  ];
  const { key } = await makeKey(postern, { owner: 'acme', rate_limits });

  expect((await send(envoy.url, '/', [['authorization', `Bearer ${key}`]])).status).toBe(200);

  // The override in the descriptor: 300 requests in a unit of 5, a month.
  expect(service.asked.at(-1)?.toString('hex')).toContain(
    Buffer.from([18, 5, 8, 172, 2, 16, 5]).toString('hex'),
  );
});
