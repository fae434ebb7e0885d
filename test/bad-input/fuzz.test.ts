import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { createAdminService } from '../../src/grpc/admin/admin-server.ts';
import { KeyAdminService } from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { createGrpcListener } from '../../src/grpc/server.ts';
import { formatListen } from '../../src/net/listen.ts';
import { start as startCore } from '../admin-calls.ts';
import { requestOf } from '../admin-model/wires/grpc-requests.ts';
import { startListener } from '../http/listener.ts';
import { strangeTexts } from '../store-contract/setting.ts';
import { bodies, queries } from './requests.ts';
import { badValues } from './values.ts';
import { contentsOf } from './watched.ts';

const runs = { interruptAfterTimeLimit: 5_000, numRuns: 400, markInterruptAsFailure: false } as const;

const text = fc.oneof(
  fc.constantFrom(
    ...strangeTexts,
    '\ud800',
    'key',
    'keys',
    'acme',
    '1s',
    '2031-01-01T00:00:00Z',
    '10.0.0.0/8',
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
);
const known = fc.constantFrom(
  ...Object.values(badValues).flatMap((values) => values.map(([, value]) => value)),
);
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    text,
    known,
    fc.constantFrom(null, true, false, 0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER + 1),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(text, tie('json'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));
const fields = [...bodies, ...queries].flatMap((request) => Object.keys(request.fields));
const members = fc.dictionary(fc.oneof(fc.constantFrom(...fields), text), json, {
  maxKeys: 4,
  noNullPrototype: true,
});

it('whatever is in a body or a query over REST, it is answered or refused in the contract’s way', async () => {
  const { service, call, create, logged } = await startListener();
  const { id } = await create({ name: 'There', owner: 'acme' });
  const sent = fc.record({
    request: fc.constantFrom(...bodies, ...queries.slice(0, -1)),
    members,
    isGood: fc.boolean(),
  });
  const property = fc.asyncProperty(sent, async ({ request, members: given, isGood }) => {
    const { method, path, good } = request;
    const before = await contentsOf(service);
    const input = isGood ? { ...good, ...given } : given;
    const query = Object.entries(input).map(
      ([name, value]) => [name, String(Object(value))] as [string, string],
    );
    const [at, body] =
      method === 'GET' ? [`${path}?${new URLSearchParams(query)}`, undefined] : [path, JSON.stringify(input)];
    const answer = await call(method, at.replace('{id}', id), body);
    expect([200, 201, 400, 404, 409]).toContain(answer.status);
    expect(logged.filter(({ level }) => level !== 'debug')).toEqual([]);
    if (answer.status < 400) return;
    expect(await contentsOf(service)).toBe(before);
    const { code, details } = answer.json.error;
    expect(code).toMatch(/^(INVALID_ARGUMENT|NOT_FOUND|FAILED_PRECONDITION|ABORTED)$/);
    if (code !== 'INVALID_ARGUMENT') return;
    const named: string[] = details.fields.map(({ field }: { field: string }) => field);
    expect(named).not.toEqual([]);
    const places = [...Object.keys(request.fields), ...Object.keys(input), 'id', 'name', 'key', '(body)'];
    for (const field of named) {
      expect([field, places.some((place) => field.startsWith(shown(place)))]).toEqual([field, true]);
    }
  });
  await fc.assert(property, runs);
});

/** As much of a name as an error shows. */
function shown(name: string): string {
  return name.slice(0, 100).split(/[^\x20-\x7e]/)[0] ?? '';
}

it('whatever bytes come over gRPC, they are answered or refused, and nothing breaks', async () => {
  const service = await startCore();
  const broken: unknown[] = [];
  const { admin, clock } = service;
  const listener = createGrpcListener(
    createAdminService({ admin, now: () => clock.now, onBroken: (error) => broken.push(error) }),
    { requestBytesMax: 65_536 },
  );
  const address = await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const client = new Client(formatListen(address), credentials.createInsecure());
  onTestFinished(async () => {
    client.close();
    await listener.close(1_000);
  });
  const metadata = new Metadata();
  metadata.set('authorization', service.adminAuthorization);
  const send = (method: keyof typeof KeyAdminService, bytes: Buffer) =>
    new Promise<ServiceError | null>((resolve) => {
      const same = (message: Buffer) => message;
      client.makeUnaryRequest(KeyAdminService[method].path, same, same, bytes, metadata, resolve);
    });

  const property = fc.asyncProperty(damaged, async ({ rpc, bytes }) => {
    const before = await contentsOf(service);
    const error = await send(rpc, bytes);
    expect(broken).toEqual([]);
    if (error === null) return;
    expect(await contentsOf(service)).toBe(before);
    // What is no message of protobuf reaches no operation.
    const isNone = error.code === status.INTERNAL && error.details.startsWith('Error deserializing request');
    const codes = [status.INVALID_ARGUMENT, status.NOT_FOUND, status.FAILED_PRECONDITION, status.ABORTED];
    expect([error.message, isNone || codes.includes(error.code)]).toEqual([error.message, true]);
  });
  await fc.assert(property, runs);
});

const unary = [...bodies, ...queries].filter(({ rpc }) => rpc !== 'watchKeys');

/** A message of some method, of which bytes were changed, left out or put in; or bytes alone. */
const damaged = fc
  .record({
    request: fc.constantFrom(...unary),
    changes: fc.array(fc.tuple(fc.nat(300), fc.nat(255), fc.constantFrom('set', 'insert', 'remove')), {
      maxLength: 6,
    }),
    noise: fc.option(fc.uint8Array({ maxLength: 60 }), { freq: 5 }),
  })
  .map(({ request: { rpc, good }, changes, noise }) => {
    const operation = rpc as keyof typeof KeyAdminService & 'createKey';
    const wanted = {
      ...{ ...good, name: 'Grüße', owner: 'acme', labels: { a: 'b' }, permissions: ['a'], expires_in: '1d' },
      rate_limit: { limit: 7, window: '60s' },
    };
    const input = operation === 'createKey' ? wanted : good;
    const message = requestOf({ operation, id: `key_${'0'.repeat(26)}`, input }) as never;
    const whole = [...(noise ?? KeyAdminService[operation].requestSerialize(message))];
    for (const [place, byte, change] of changes) {
      const at = place % (whole.length + 1);
      whole.splice(at, change === 'insert' ? 0 : 1, ...(change === 'remove' ? [] : [byte]));
    }
    return { rpc: operation, bytes: Buffer.from(whole) };
  });
