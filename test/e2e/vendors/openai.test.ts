import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI, {
  APIError,
  AuthenticationError,
  InternalServerError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Envoy } from '../../real/envoy.ts';
import { freePort } from '../../real/port.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { startChangedEnvoy } from '../routes.ts';
import { makeKey } from '../stack.ts';
import { mavera, mira, modelriver, type Reason, reasons, statuses } from './vendor-cases.ts';
import { bringAbout, vendorRoutes } from './vendors-failures.ts';

/** What the SDK throws, by status. */
const errors: Readonly<Record<number, unknown>> = {
  401: AuthenticationError,
  402: APIError,
  403: PermissionDeniedError,
  429: RateLimitError,
  503: InternalServerError,
};

let upstream: Upstream;
let postern: Postern;
let envoy: Envoy;
/** The same before a Postern whose store is away. */
let cutOff: { readonly postern: Postern; readonly envoy: Envoy };

beforeAll(async () => {
  const nobody = `mongodb://127.0.0.1:${await freePort()}/postern`;
  const [up, one, other] = await Promise.all([
    startUpstream(),
    startPostern({}),
    startPostern({ POSTERN_STORE: nobody }, { ready: false }),
  ]);
  [upstream, postern] = [up, one];
  const before = ({ check }: Postern) =>
    startChangedEnvoy({ checkAddress: check, upstreamAddress: up.address, routes: vendorRoutes });
  const [front, away] = await Promise.all([before(one), before(other)]);
  [envoy, cutOff] = [front, { postern: other, envoy: away }];
});
afterAll(() =>
  Promise.all([envoy, postern, cutOff?.envoy, cutOff?.postern, upstream].map((part) => part?.stop())),
);

describe.each([mavera, modelriver, mira])("OpenAI's client, pointed at $scheme", (vendor) => {
  const path = `/v/${vendor.scheme}/`;

  it('gets an answer with a good key, which the upstream does not see', async () => {
    const { key } = await makeKey(postern, { scheme: vendor.scheme });
    const client = new OpenAI({ apiKey: key, baseURL: `${envoy.url}${path}v1`, maxRetries: 0 });
    const completion = await complete(client);
    expect(completion.choices[0]?.message.content).toBe('Hello');
    expect(upstream.last()).toMatchObject({ url: `${path}v1/chat/completions` });
    expect(upstream.last()?.headers).not.toHaveProperty('authorization');
    expect(upstream.last()?.headers).toHaveProperty('x-postern-key-id');
  });

  it.each(reasons)('throws the class of its status for %s, with our words in it', async (reason: Reason) => {
    const front = reason === 'unavailable' ? cutOff : { postern, envoy };
    const { headers, facts, ...failing } = await bringAbout(front, vendor, reason);
    const authorization = headers.map(([, value]) => value).join(', ');
    const client = new OpenAI({
      apiKey: 'unused',
      baseURL: `${front.envoy.url}${failing.path}v1`,
      maxRetries: 0,
      defaultHeaders: { authorization: authorization === '' ? null : authorization },
    });
    const thrown = await complete(client).catch((error: unknown) => error);
    const status = statuses[reason];
    expect(thrown).toBeInstanceOf(APIError);
    const error = thrown as APIError;
    expect(error.constructor).toBe(errors[status]);
    const expected = (vendor.bodies(facts)[reason] as { error: Record<string, unknown> }).error;
    expect(error.error).toEqual(expected);
    expect([error.code, error.type, error.param]).toEqual([expected.code, expected.type, expected.param]);
    const { message } = error.error as { message: string };
    expect([error.status, error.message]).toEqual([status, `${status} ${message}`]);
    if (status === 401) expect(error.headers?.get('www-authenticate')).toContain(vendor.challenge);
    if (status === 429 || status === 503)
      expect(Number(error.headers?.get('retry-after'))).toBeGreaterThan(0);
  });
});

it("OpenAI's client tries again by itself when it is told to wait, and gets through", async () => {
  const rate_limit = { limit: 1, window: '1s' };
  const { key } = await makeKey(postern, { scheme: 'mira', rate_limit });
  const client = new OpenAI({ apiKey: key, baseURL: `${envoy.url}/v/mira/v1`, maxRetries: 3 });
  const completions = [await complete(client), await complete(client)];
  expect(completions.map(({ id }) => id)).toEqual(['chatcmpl-1', 'chatcmpl-1']);
});

function complete(client: OpenAI) {
  return client.chat.completions.create({ model: 'any', messages: [{ role: 'user', content: 'Hello' }] });
}

interface Upstream {
  readonly address: { readonly host: string; readonly port: number };
  /** The last request that reached it. */
  last(): { readonly url: string; readonly headers: Readonly<Record<string, unknown>> } | undefined;
  stop(): Promise<void>;
}

/** An upstream that answers everything with the smallest chat completion. */
async function startUpstream(): Promise<Upstream> {
  let last: ReturnType<Upstream['last']>;
  const completion = {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'any',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
  };
  const server = createServer((request, response) => {
    last = { url: request.url ?? '', headers: request.headers };
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(completion));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    last: () => last,
    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
