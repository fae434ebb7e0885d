import {
  type ClientReadableStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import {
  KeyAdminService,
  type ReportLeakedKeysResponse,
  type WatchKeysResponse,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener, type GrpcListener } from '../../src/grpc/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { until } from '../real/until.ts';
import { createTestService, type TestService } from '../service.ts';

let service: TestService;
let listener: GrpcListener;
let client: InstanceType<ReturnType<typeof makeGenericClientConstructor>>;

beforeEach(async () => {
  service = await createTestService();
  const onBroken = (error: unknown) => {
    throw error;
  };
  const now = () => service.clock.now;
  listener = createGrpcListener(createAdminService({ admin: service.admin, now, onBroken }), {
    requestBytesMax: 65_536,
  });
  const address = await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const Client = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  client = new Client(formatListen(address), credentials.createInsecure());
  return async () => {
    client.close();
    service.tail.close();
    await listener.close(1_000);
    await service.store.close();
  };
});

it('streams events, and goes on after the resume token of any', async () => {
  const all = watch({});
  await until('the first answer', () => all.responses.length === 1);
  const { key } = await service.admin.createKey(caller(), { name: 'One', owner: 'acme', labels: { a: 'b' } });
  await service.admin.revokeKey(caller(), key.id);
  await until('two events', () => all.responses.length === 3);

  const [first, made, revoked] = all.responses;
  expect(first).toMatchObject({ resume_token: 'evt_0000000000000000', type: '', details: undefined });
  expect(made).toMatchObject({
    ...{ type: 'key.created', target: key.id, owner: 'acme', actor: 'POSTERN_ADMIN_KEY' },
    details: { before: null, after: { id: key.id, labels: { a: 'b' }, rate_limit: null } },
  });
  expect(revoked?.at).toMatchObject({ seconds: Math.floor(service.clock.now / 1_000) });
  const rest = watch({ resume_token: made?.resume_token ?? '', types: ['key.revoked'] });
  await until('the rest', () => rest.responses.length === 2);
  expect(rest.responses[1]).toEqual(revoked);
});

it('ends UNAVAILABLE when the service drains, and holds up no drain', async () => {
  const watched = watch({});
  await until('the first answer', () => watched.responses.length === 1);
  service.tail.close();
  await listener.close(60_000);
  await until('the end', () => watched.error() !== null);
  expect(watched.error()).toMatchObject({ code: status.UNAVAILABLE });
});

it('ends at its deadline and when it is cancelled, and frees its place', async () => {
  for (let round = 0; round < 250; round++) {
    const watched = watch({});
    await until('the first answer', () => watched.responses.length === 1, { everyMs: 1 });
    watched.stream.cancel();
  }
  const short = watch({}, { deadline: Date.now() + 50 });
  await until('its deadline', () => short.error() !== null);
  expect(short.error()).toMatchObject({ code: status.DEADLINE_EXCEEDED });
});

it('is refused as any other call is', async () => {
  const odd = watch({ types: ['nonsense'] });
  await until('the end', () => odd.error() !== null);
  expect(odd.error()).toMatchObject({ code: status.INVALID_ARGUMENT });
  const stranger = watch({}, {}, '');
  await until('the end', () => stranger.error() !== null);
  expect(stranger.error()).toMatchObject({ code: status.UNAUTHENTICATED });
});

it('takes reports of leaked keys, and answers alike for keys and for anything else', async () => {
  const { key, secret } = await service.admin.createKey(caller(), { name: 'One' });
  const leaked = await report([
    { key: secret?.reveal() ?? '', url: 'https://example.com/a', source: undefined },
  ]);
  const other = await report([{ key: 'nothing', url: undefined, source: '' }]);
  expect(leaked).toEqual(other);
  expect(leaked).toMatchObject({ received: 1, unconfirmed_replicas: [] });
  expect((await service.store.getKey(key.id))?.revokedAt).not.toBeNull();
  await expect(report([])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

function caller() {
  return { authorization: [service.adminAuthorization], address: '' };
}

function metadata(authorization = service.adminAuthorization): Metadata {
  const made = new Metadata();
  if (authorization !== '') made.set('authorization', authorization);
  return made;
}

function watch(
  given: { resume_token?: string; types?: string[] },
  options: { deadline?: number } = {},
  authorization = service.adminAuthorization,
) {
  const request = { resume_token: '', types: [], ...given };
  const stream: ClientReadableStream<WatchKeysResponse> = client.watchKeys?.(
    request,
    metadata(authorization),
    options,
  );
  onTestFinished(() => stream.cancel());
  const responses: WatchKeysResponse[] = [];
  let error: ServiceError | null = null;
  stream.on('data', (response: WatchKeysResponse) => responses.push(response));
  stream.on('error', (ended: ServiceError) => {
    error = ended;
  });
  return { stream, responses, error: (): ServiceError | null => error };
}

function report(keys: { key: string; url: string | undefined; source: string | undefined }[]) {
  return new Promise<ReportLeakedKeysResponse>((resolve, reject) => {
    client.reportLeakedKeys?.(
      { keys },
      metadata(),
      (error: ServiceError | null, response: ReportLeakedKeysResponse) =>
        error === null ? resolve(response) : reject(error),
    );
  });
}
