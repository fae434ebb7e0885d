import {
  type ClientDuplexStream,
  credentials,
  Metadata,
  makeGenericClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { afterEach, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import {
  type GetDiagnosticsResponse,
  type ImportedKey,
  type ImportKeysRequest,
  type ImportKeysResponse,
  KeyAdminService,
} from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { limitsOfShort } from '../../src/keys/limit.ts';
import { formatListen } from '../../src/net/listen.ts';
import { mintSecret } from '../../src/schemes/scheme.ts';
import { StoreUnavailable } from '../../src/store/store.ts';
import { version } from '../../src/version.ts';
import { createTestService, type TestService } from '../service.ts';

let service: TestService;
let client: InstanceType<ReturnType<typeof makeGenericClientConstructor>>;
const calls = vi.fn<(input: unknown) => Promise<void>>(async () => {});

beforeAll(async () => {
  service = await createTestService();
  const admin: TestService['admin'] = {
    ...service.admin,
    async importKeys(caller, input) {
      await calls(input);
      return service.admin.importKeys(caller, input);
    },
  };
  const listener = createGrpcListener(
    createAdminService({ admin, now: () => service.clock.now, onBroken: () => {} }),
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

afterEach(() => {
  calls.mockReset();
});

it('answers each message with one, and counts keys over the whole stream', async () => {
  const [one, two] = [secret(), secret()];
  const stream = openStream();
  const answers = [
    await stream.ask([importedKey(one), importedKey('bad')]),
    await stream.ask([]),
    await stream.ask([importedKey(two), importedKey(one)]),
  ];
  stream.call.end();
  expect(await stream.ended).toBe(null);
  const failure = { index: 1, field: 'secret', description: expect.stringContaining('form') };
  expect(answers).toEqual([
    { imported: 1, duplicates: [], failures: [failure] },
    { imported: 0, duplicates: [], failures: [] },
    { imported: 1, duplicates: [3], failures: [] },
  ]);
});

it('hands every field on', async () => {
  const key = importedKey(secret('powerverse', 'test'), {
    ...{ name: 'all of it', scheme: 'powerverse', environment: 'test', owner: 'acme', permissions: ['a'] },
    ...{ ip_allowlist: ['10.0.0.0/8'], expires_at: { seconds: 1_000, nanos: 0 }, plan: 'pro' },
    ...{
      rate_limit: { limit: 5, window: { seconds: 60, nanos: 0 } },
      labels: { team: 'grid' },
      disabled: true,
    },
  });
  const digest = importedKey('', {
    ...{ credential: { $case: 'sha256', value: 'ab'.repeat(32) }, name: 'a digest' },
    ...{ prefix: 'pst_live_ab', last4: 'wxyz' },
  });
  const stream = openStream();
  expect(await stream.ask([key, digest])).toEqual({ imported: 2, duplicates: [], failures: [] });
  stream.call.end();
  const find = async (nameContains: string) =>
    (await service.store.listKeys({ nameContains, now: 0 }, { before: null, size: 2 }))[0];
  expect(await find('all of it')).toMatchObject({
    ...{ scheme: 'powerverse', environment: 'test', owner: 'acme', permissions: ['a'], plan: 'pro' },
    ...{
      ipAllowlist: ['10.0.0.0/8'],
      expiresAt: 1_000_000,
      rateLimits: limitsOfShort({ limit: 5, windowMs: 60_000 }),
    },
    ...{ labels: { team: 'grid' }, disabledAt: expect.any(Number) },
  });
  expect(await find('a digest')).toMatchObject({ prefix: 'pst_live_ab', last4: 'wxyz', scheme: 'postern' });
});

it('takes in nothing in a dry run', async () => {
  const stream = openStream();
  const key = importedKey(secret());
  expect(await stream.ask([key], true)).toMatchObject({ imported: 1 });
  expect(await stream.ask([key])).toMatchObject({ imported: 1 });
  stream.call.end();
});

it('refuses a caller without the right before it has sent anything', async () => {
  for (const authorization of ['Bearer rubbish', '']) {
    expect((await openStream(authorization).ended)?.code).toBe(status.UNAUTHENTICATED);
  }
  const reader = await service.admin.createKey(
    { authorization: [service.adminAuthorization], address: '' },
    { name: 'reader', scheme: 'postern', permissions: ['admin:read'] },
  );
  const refused = await openStream(`Bearer ${reader.secret?.reveal()}`).ended;
  expect(refused).toMatchObject({ code: status.PERMISSION_DENIED });
});

it('ends the stream with the status of the message that is at fault, after the answers to those before', async () => {
  const stream = openStream();
  expect(await stream.ask([importedKey(secret())])).toMatchObject({ imported: 1 });
  stream.call.write({ keys: Array(1_001).fill(importedKey('x', { name: 'x' })), dry_run: false });
  expect(await stream.ended).toMatchObject({ code: status.INVALID_ARGUMENT });

  const large = openStream();
  large.call.write({ keys: [importedKey('x'.repeat(100_000))], dry_run: false });
  expect(await large.ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED });

  calls.mockResolvedValueOnce().mockRejectedValueOnce(new StoreUnavailable('away'));
  const away = openStream();
  away.call.write({ keys: [], dry_run: false });
  expect(await away.ended).toMatchObject({ code: status.UNAVAILABLE });
});

it('takes no message before the answer to the one before is on its way', async () => {
  const first = Promise.withResolvers<void>();
  calls.mockResolvedValueOnce().mockImplementationOnce(() => first.promise);
  const stream = openStream();
  for (let sent = 0; sent < 50; sent++) stream.call.write({ keys: [], dry_run: false });
  await expect.poll(() => calls).toHaveBeenCalledTimes(2);
  await stream.idle();
  expect(calls).toHaveBeenCalledTimes(2);
  first.resolve();
  stream.call.end();
  expect(await stream.ended).toBe(null);
  expect(calls).toHaveBeenCalledTimes(51);
});

it('stops with the caller', async () => {
  const first = Promise.withResolvers<void>();
  calls.mockResolvedValueOnce().mockImplementationOnce(() => first.promise);
  const stream = openStream();
  for (let sent = 0; sent < 5; sent++) stream.call.write({ keys: [], dry_run: false });
  await expect.poll(() => calls).toHaveBeenCalledTimes(2);
  stream.call.cancel();
  expect(await stream.ended).toMatchObject({ code: status.CANCELLED });
  await stream.idle();
  first.resolve();
  await stream.idle();
  expect(calls).toHaveBeenCalledTimes(2);
});

it('ends with the service after the message under way, and says what to do', async () => {
  const stopping = new AbortController();
  const gate = Promise.withResolvers<void>();
  let begun = 0;
  const admin: TestService['admin'] = {
    ...service.admin,
    async importKeys(caller, input) {
      begun += 1;
      if ((input as ImportKeysRequest).keys.length > 0) await gate.promise;
      return service.admin.importKeys(caller, input);
    },
  };
  const own = createGrpcListener(
    createAdminService({
      ...{ admin, now: () => service.clock.now, onBroken: () => {} },
      stopping: stopping.signal,
    }),
    { requestBytesMax: 65_536 },
  );
  const address = await own.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const Client = makeGenericClientConstructor(KeyAdminService, 'KeyAdmin');
  const other = new Client(formatListen(address), credentials.createInsecure());
  onTestFinished(() => other.close());
  const [busy, idle] = [openStream(undefined, other), openStream(undefined, other)];
  busy.call.write({ keys: [importedKey(secret())], dry_run: false });
  await expect.poll(() => begun).toBe(3);
  stopping.abort();
  const closed = own.close(60_000);
  expect(await idle.ended).toMatchObject({ code: status.UNAVAILABLE });
  gate.resolve();
  expect(await busy.ended).toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('send what was not answered to another'),
  });
  expect(busy.answers).toMatchObject([{ imported: 1 }]);
  await closed;
});

it('says how the service stands', async () => {
  const { promise, resolve } = Promise.withResolvers<GetDiagnosticsResponse | ServiceError>();
  const done = (error: ServiceError | null, answer: GetDiagnosticsResponse) => resolve(error ?? answer);
  (client.getDiagnostics as unknown as (...given: unknown[]) => void).call(client, {}, metadataOf(), done);
  expect(await promise).toEqual({
    ...{ version, store: 'sqlite' },
    peppers: [{ id: '', keys: expect.any(Number), configured: true, signing: true }],
    findings: expect.arrayContaining([expect.objectContaining({ code: 'store.memory', level: 'info' })]),
    now: { seconds: expect.any(Number), nanos: expect.any(Number) },
    store_reachable: true,
    keys: { active: expect.any(Number), disabled: 1, revoked: 0, expired: 0 },
    replicas: [{ id: 'test-replica', lag: { seconds: 0, nanos: 0 } }],
    uptime: { seconds: expect.any(Number), nanos: expect.any(Number) },
  });
});

/** A call, and one at a time what it is answered. */
function openStream(authorization = service.adminAuthorization, on = client) {
  type Call = ClientDuplexStream<ImportKeysRequest, ImportKeysResponse>;
  const open = on.importKeys as unknown as (metadata: Metadata) => Call;
  const call = open.call(on, metadataOf(authorization));
  const { promise: ended, resolve } = Promise.withResolvers<ServiceError | null>();
  call.on('error', resolve).on('end', () => resolve(null));
  const answers: ImportKeysResponse[] = [];
  let taken = 0;
  call.on('data', (answer: ImportKeysResponse) => answers.push(answer));
  return {
    call,
    ended,
    answers,
    async ask(keys: readonly ImportedKey[], dryRun = false) {
      call.write({ keys: [...keys], dry_run: dryRun });
      await expect.poll(() => answers.length).toBeGreaterThan(taken);
      return answers[taken++];
    },
    /** Returns when another call on the same connection was answered, and so all that came before was read. */
    async idle() {
      const { promise, resolve: answered } = Promise.withResolvers<void>();
      const done = () => answered();
      (client.getDiagnostics as unknown as (...given: unknown[]) => void).call(
        client,
        {},
        metadataOf(),
        done,
      );
      await promise;
    },
  };
}

function metadataOf(authorization = service.adminAuthorization): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  return metadata;
}

function secret(name = 'postern', environment = 'live'): string {
  const scheme = service.schemes.find((known) => known.name === name);
  return (scheme && mintSecret(scheme, environment)?.secret.reveal()) ?? '';
}

function importedKey(value: string, more: Partial<ImportedKey> = {}): ImportedKey {
  return {
    ...{
      credential: { $case: 'secret', value },
      name: 'imported',
      permissions: [],
      ip_allowlist: [],
      principals: [],
    },
    ...{
      expires_at: undefined,
      rate_limit: undefined,
      rate_limits: [],
      labels: {},
      disabled: false,
      roles: [],
    },
    ...more,
  };
}
