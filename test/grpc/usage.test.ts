import {
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { beforeAll, expect, it } from 'vitest';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import {
  type GetKeyUsageRequest,
  type GetKeyUsageResponse,
  KeyAdminService,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { keyRecord } from '../records.ts';
import { createTestService, type TestService } from '../service.ts';
import { tally } from '../store-contract/use/usage.ts';

let service: TestService;
let client: InstanceType<ReturnType<typeof makeGenericClientConstructor>>;
const noon = Date.UTC(2031, 1, 3, 12);

beforeAll(async () => {
  service = await createTestService();
  service.clock.now = noon;
  const onBroken = (error: unknown) => {
    throw error;
  };
  const listener = createGrpcListener(
    createAdminService({ admin: service.admin, now: () => service.clock.now, onBroken }),
    { requestBytesMax: 65_536 },
  );
  const address = await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const Client = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  client = new Client(formatListen(address), credentials.createInsecure());
  return async () => {
    client.close();
    await listener.close(1_000);
    await service.store.close();
  };
});

it('answers what became of the requests of a key, hour by hour, since a time or altogether', async () => {
  const key = keyRecord();
  await service.store.insertKey(key, 1);
  await service.store.recordUsage([
    tally(key, { hour: noon, denied: { revoked: 3 }, observed: { expired: 2 }, addresses: ['192.0.2.1'] }),
    tally(key, { hour: noon - 3_600_000, allowed: 5_000_000_000, lastUsedAt: noon - 1_500 }),
  ]);
  const seconds = noon / 1_000;
  const all = await getKeyUsage({ id: key.id, since: undefined });
  expect(all).toEqual({
    buckets: [
      { start: { seconds: seconds - 3_600, nanos: 0 }, allowed: 5_000_000_000, denied: {}, observed: {} },
      { start: { seconds, nanos: 0 }, allowed: 0, denied: { revoked: 3 }, observed: { expired: 2 } },
    ],
    last_used_at: { seconds: seconds - 2, nanos: 0 },
    addresses: ['192.0.2.1'],
  });
  const since = { seconds: seconds + 3_599, nanos: 999_000_000 };
  expect((await getKeyUsage({ id: key.id, since })).buckets).toEqual(all.buckets.slice(1));
});

it('says what is wrong with a request, and NOT_FOUND for a key that is not there', async () => {
  const refusal = async (request: GetKeyUsageRequest, authorization = service.adminAuthorization) =>
    getKeyUsage(request, authorization).catch(({ code }: ServiceError) => code);
  const id = keyRecord().id;
  expect(await refusal({ id, since: undefined })).toBe(status.NOT_FOUND);
  expect(await refusal({ id, since: { seconds: 1e15, nanos: 0 } })).toBe(status.INVALID_ARGUMENT);
  expect(await refusal({ id, since: undefined }, 'Bearer rubbish')).toBe(status.UNAUTHENTICATED);
});

function getKeyUsage(
  request: GetKeyUsageRequest,
  authorization = service.adminAuthorization,
): Promise<GetKeyUsageResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<GetKeyUsageResponse>();
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const done = (error: ServiceError | null, answer: GetKeyUsageResponse) =>
    error ? reject(error) : resolve(answer);
  (client.getKeyUsage as unknown as (...given: unknown[]) => void).call(client, request, metadata, done);
  return promise;
}
