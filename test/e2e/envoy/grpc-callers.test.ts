import { connect } from 'node:http2';
import { credentials, Metadata, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../real/port.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { startChangedEnvoy, startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

const settings = `
schemes:
  - postern
  - mavera
  - powerverse
  - converra
  - name: terse
    places: [{ header: X-Terse }]
    prefixes: { terse_: live }
    accept: { alphabet: A-Za-z0-9, length: 32 }
    mint: { alphabet: A-Za-z0-9, length: 32 }
    answers:
      - reasons: [missing, ambiguous, malformed, unknown, wrong_environment, revoked, disabled, expired]
        status: 404
        headers: { Content-Type: application/problem+json }
        body: '{"title":"No such page","status":404,"detail":"Nothing is here for “you”, 100 %."}'
      - reasons: [owner_inactive, address_denied, permission_denied, rate_limited, unavailable]
        status: 400
        body: '1'
`;

const routes = ['mavera', 'powerverse', 'converra', 'terse']
  .map((scheme) => ({ prefix: `/${scheme}.`, context: { scheme } }))
  .concat([
    { prefix: '/write.', context: { scheme: 'postern', permissions: 'write:things' } as never },
    { prefix: '/wrong.', context: { scheme: 'postern', cost: 'three' } as never },
  ]);

let stack: Stack;
beforeAll(async () => {
  stack = await startChangedStack(settings, {}, { routes });
});
afterAll(() => stack?.stop());

describe('a gRPC caller who is denied', () => {
  it('reads the code of the reason, and its message in plain words', async () => {
    expect(await call('/any.S/M')).toEqual([16, 'No API key was sent.']);
    expect(await call('/any.S/M', 'rubbish')).toEqual([16, 'The API key is not valid.']);
    expect(await call('/any.S/M', unknownKey())).toEqual([16, 'The API key is not valid.']);
    const { key } = await makeKey(stack.postern);
    expect(await call('/write.S/M', key)).toEqual([
      7,
      'The API key lacks a permission that this request needs.',
    ]);
    expect(await call('/wrong.S/M', key)).toEqual([14, 'API keys cannot be checked right now. Try again.']);

    const limited = await makeKey(stack.postern, { rate_limit: { limit: 1, window: '3650d' } });
    await call('/any.S/M', limited.key);
    expect(await call('/any.S/M', limited.key)).toEqual([8, 'The rate limit of this API key is used up.']);

    const elsewhere = await makeKey(stack.postern, { ip_allowlist: ['192.0.2.1'] });
    expect(await call('/any.S/M', elsewhere.key)).toEqual([
      7,
      'The API key may not be used from this IP address.',
    ]);
    await admin(stack.postern, 'PUT', '/admin/owners/lapsed', { plan: null });
    const lapsing = await makeKey(stack.postern, { owner: 'lapsed' });
    await admin(stack.postern, 'PUT', '/admin/owners/lapsed', { suspended: true });
    expect(await call('/any.S/M', lapsing.key)).toEqual([
      7,
      'There is no active subscription for this API key.',
    ]);
  });

  it('reads when to come again in the metadata', async () => {
    const { key } = await makeKey(stack.postern, { rate_limit: { limit: 1, window: '3650d' } });
    await call('/any.S/M', key);
    const { promise, resolve } = Promise.withResolvers<ServiceError | null>();
    makeCall('/any.S/M', key, stack.envoy.url, resolve);
    const error = await promise;
    expect(error?.code).toBe(8);
    expect(Number(error?.metadata.get('retry-after')[0])).toBeGreaterThan(0);
    expect(error?.metadata.get('x-ratelimit-limit')).toEqual(['1']);
  });

  it("reads each vendor's own words", async () => {
    expect(await call('/mavera.S/M')).toEqual([16, 'No Authorization header provided']);
    expect(await call('/converra.S/M', 'rubbish')).toEqual([16, 'Invalid API key']);
    expect((await call('/powerverse.S/M'))[0]).toBe(16);
    expect(await call('/terse.S/M')).toEqual([16, 'Nothing is here for “you”, 100 %.']);
  });

  it('is answered as gRPC answers: 200 and a content type of gRPC, each header once', async () => {
    const answered = await rawCall('/any.S/M', 'application/grpc+proto');
    expect(answered).toMatchObject({
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': '16',
      'grpc-message': 'No API key was sent.',
      'www-authenticate': 'Bearer realm="postern"',
    });
  });

  it('by gRPC-Web without a filter for it reads status and message in headers', async () => {
    const answered = await rawCall('/any.S/M', 'application/grpc-web+proto');
    expect(answered).toMatchObject({
      ':status': 401,
      'grpc-status': '16',
      'grpc-message': 'No API key was sent.',
    });
  });

  it('is no other caller: those get JSON as before', async () => {
    const { headers, body } = await send(stack.envoy.url, '/any', [['content-type', 'application/grpcish']]);
    expect(headers['content-type']).toBe('application/json');
    expect(headers).not.toHaveProperty('grpc-status');
    expect(JSON.parse(body).error.code).toBe('missing_api_key');
  });
});

describe('a gRPC caller while the store cannot be reached', () => {
  let cutOff: Postern;
  beforeAll(async () => {
    const nobody = `mongodb://127.0.0.1:${await freePort()}/postern`;
    cutOff = await startPostern({ POSTERN_STORE: nobody }, { ready: false });
  });
  afterAll(() => cutOff?.stop());

  it('reads UNAVAILABLE', async () => {
    const envoy = await startChangedEnvoy({
      checkAddress: cutOff.check,
      upstreamAddress: stack.echo.address,
    });
    try {
      const [code, message] = await call('/any.S/M', unknownKey(), envoy.url);
      expect([code, message]).toEqual([14, 'API keys cannot be checked right now. Try again.']);
    } finally {
      await envoy.stop();
    }
  });
});

/** What a gRPC client reads: code and message. */
function call(path: string, key?: string, url = stack.envoy.url): Promise<[code: number, message: string]> {
  const { promise, resolve } = Promise.withResolvers<[number, string]>();
  makeCall(path, key, url, (error) => resolve([error?.code ?? 0, error?.details ?? '']));
  return promise;
}

function makeCall(
  path: string,
  key: string | undefined,
  url: string,
  answered: (error: ServiceError | null) => void,
): void {
  const bytes = { serialize: (text: string) => Buffer.from(text), deserialize: String };
  const method = {
    ...{ path, requestStream: false, responseStream: false },
    ...{ requestSerialize: bytes.serialize, requestDeserialize: bytes.deserialize },
    ...{ responseSerialize: bytes.serialize, responseDeserialize: bytes.deserialize },
  };
  const Client = makeGenericClientConstructor({ method }, 'Any');
  const client = new Client(new URL(url).host, credentials.createInsecure());
  const metadata = new Metadata();
  if (key !== undefined) metadata.set('authorization', `Bearer ${key}`);
  (client.method as (...given: unknown[]) => void)('', metadata, (error: ServiceError | null) => {
    client.close();
    answered(error);
  });
}

/** The headers of the answer as they are on the wire. */
async function rawCall(path: string, type: string): Promise<Record<string, unknown>> {
  const session = connect(stack.envoy.url);
  const { promise, resolve, reject } = Promise.withResolvers<Record<string, unknown>>();
  session.on('error', reject);
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type, te: 'trailers' });
  stream.on('error', reject);
  stream.on('response', (headers) => resolve({ ...headers }));
  stream.end();
  const headers = await promise;
  session.close();
  return headers;
}
