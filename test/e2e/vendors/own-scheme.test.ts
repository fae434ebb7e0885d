import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startChangedStack, startConfigured } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';

const settings = `
schemes:
  - name: gate
    places:
      - header: X-Gate-Key
      - query: gate_key
      - cookie: gate
    prefixes: { gk.live-: live, gk.test-: test }
    accept: { pattern: "(?:[a-z0-9]{8}){4,6}" }
    mint: { alphabet: a-z0-9, length: 40 }
    checksum: hmac
    answers:
      - reasons: [permission_denied]
        status: 451
        headers: { Content-Type: application/problem+json, X-Gate: shut }
        body: '{"needs":{{required}},"text":"\\"{{client_ip}}\\" needs {{ required }}","why":"{{reason}}"}'
      - reasons: [address_denied]
        body: '{"you":{{client_ip}},"they":{{allowed_ips}}}'
      - reasons: [expired]
        body: '{"gone":{{expired_at}},"limit":{{limit}}}'
      - reasons: [rate_limited]
        body: '{"limit":{{limit}},"wait":{{retry_after}},"text":"in {{retry_after}} s"}'
      - reasons: [missing, ambiguous, malformed, unknown, wrong_environment, revoked, disabled, owner_inactive, unavailable]
        body: '{"why":"{{reason}}","expired":{{expired_at}}}'
  - name: token
    places: [{ header: Authorization, word: Token }]
    prefixes: { tok_: live }
    accept: { alphabet: A-Za-z0-9, length: 32 }
    mint: { alphabet: A-Za-z0-9, length: 32 }
    checksum: crc32
    forward_credential: true
  - postern
`;

/** Whatever a JSON string has to escape. */
const awkward = ['quote:"x"', 'back:\\y', 'brace:{{reason}}', 'html:</script>', "apostrophe:'x'"];
const routes = [
  { prefix: '/awkward/', context: { scheme: 'gate', permissions: awkward.join(', ') } },
  { prefix: '/token/', context: { scheme: 'token' } },
  { prefix: '/gate/', context: { scheme: 'gate' } },
];
const [newKey, oldKey] = [checksumKey('new'), checksumKey('old')];

describe("a scheme of one's own", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startChangedStack(settings, { POSTERN_CHECKSUM_KEYS: `${newKey},${oldKey}` }, { routes });
  });
  afterAll(() => stack?.stop());

  const make = (wanted: Readonly<Record<string, unknown>> = {}) => makeKey(stack.postern, wanted);
  const inHeader = (key: string, path = '/gate/') => send(stack.envoy.url, path, [['x-gate-key', key]]);

  it('is the first and so makes keys by default, in the form that its pattern takes', async () => {
    const { key, scheme, prefix, last4 } = await make();
    expect(key).toMatch(/^gk\.live-[a-z0-9]{40}[0-9A-Za-z]{11}$/);
    expect([scheme, prefix, last4]).toEqual(['gate', key.slice(0, 'gk.live-'.length + 4), key.slice(-4)]);
    expect((await make({ environment: 'test' })).key).toMatch(/^gk\.test-/);
  });

  it('takes its key from a header, and takes it out', async () => {
    const { upstream } = await inHeader((await make()).key);
    expect(upstream?.headers).toMatchObject({ 'x-postern-scheme': ['gate'] });
    expect(upstream?.headers).not.toHaveProperty('x-gate-key');
  });

  it.each([
    ['?gate_key=KEY', ''],
    ['?a=1&gate_key=KEY&b=%20%2B+', '?a=1&b=%20%2B+'],
    ['?gate_key=KEY&gate_keys=2', '?gate_keys=2'],
    ['?gate_key=ESCAPED&a', '?a'],
    ['?b=2&a=1&flag&gate_key=KEY&sig=x%2By', '?b=2&a=1&flag&sig=x%2By'],
    ['?gate_key=KEY&z&&=&a=1=2&a=%zz&~=%7e', '?z&&=&a=1=2&a=%zz&~=%7e'],
  ])('takes its key from the query %s, and leaves %s', async (query, rest) => {
    const { key } = await make();
    const path = `/gate/a%20b${query.replace('KEY', key).replace('ESCAPED', escapeAll(key))}`;
    const { status, upstream } = await send(stack.envoy.url, path);
    expect(status).toBe(200);
    expect(upstream?.url).toBe(`/gate/a%20b${rest}`);
  });

  it.each([
    [['gate=KEY'], undefined],
    [['a=b; gate=KEY; c="d e"'], ['a=b; c="d e"']],
    [['gate=KEY; gates=1; =x; y'], ['gates=1; =x; y']],
    [['a=b', 'gate=KEY', 'c=d'], ['a=b; c=d']],
  ])('takes its key from the cookies %j, and leaves %j', async (cookies, rest) => {
    const { key } = await make();
    const headers = cookies.map((cookie) => ['cookie', cookie.replace('KEY', key)] as const);
    const { status, upstream } = await send(stack.envoy.url, '/gate/', headers);
    expect(status).toBe(200);
    expect(upstream?.headers.cookie).toEqual(rest);
  });

  it('takes one key from one place alone', async () => {
    const { key } = await make();
    const other = (await make()).key;
    const twice: [path: string, headers: [string, string][]][] = [
      [`/gate/?gate_key=${key}`, [['x-gate-key', key]]],
      [
        '/gate/',
        [
          ['x-gate-key', key],
          ['cookie', `gate=${key}`],
        ],
      ],
      [`/gate/?gate_key=${key}`, [['cookie', `gate=${other}`]]],
      [`/gate/?gate_key=${key}&gate_key=${key}`, []],
      [`/gate/?gate_key=${key}&gate%5Fkey=${other}`, []],
      [`/gate/?%67ate_key=${key}`, []],
      ['/gate/', [['cookie', `gate=${key}; gate=${other}`]]],
      [
        '/gate/',
        [
          ['cookie', `gate=${key}`],
          ['cookie', `gate=${other}`],
        ],
      ],
      ['/gate/', [['x-gate-key', `${key},${other}`]]],
      [
        '/gate/',
        [
          ['x-gate-key', key],
          ['x-gate-key', other],
        ],
      ],
    ];
    for (const [path, headers] of twice) {
      const answer = await send(stack.envoy.url, path, headers);
      expect([path.length, answer.status, answer.body]).toEqual([
        path.length,
        401,
        '{"why":"ambiguous","expired":null}',
      ]);
    }
  });

  it('looks nowhere else', async () => {
    const { key } = await make();
    const elsewhere: [path: string, headers: [string, string][]][] = [
      [`/gate/#?gate_key=${key}`, []],
      [`/gate/?a=gate_key=${key}`, []],
      [`/gate/;gate_key=${key}`, []],
      [`/gate/?GATE_KEY=${key}`, []],
      ['/gate/', [['authorization', `Bearer ${key}`]]],
      ['/gate/', [['cookie', `Gate=${key}`]]],
      ['/gate/', [['x-gate-key', '']]],
      ['/gate/?gate_key=', [['cookie', 'gate=']]],
    ];
    for (const [path, headers] of elsewhere) {
      const answer = await send(stack.envoy.url, path, headers);
      expect([path, answer.status < 300]).toEqual([path, false]);
      if (answer.status === 401) expect(answer.body).toBe('{"why":"missing","expired":null}');
    }
  });

  it('denies a key whose HMAC is not by its keys, without asking the store', async () => {
    const { key } = await make();
    const forged = key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a');
    for (const text of [forged, key.slice(0, -11), `${key.slice(0, -11)}00000000000`]) {
      expect((await inHeader(text)).body).toBe('{"why":"malformed","expired":null}');
    }
    expect((await inHeader(key)).status).toBe(200);
  });

  it('says what its answers say, each value escaped where it stands', async () => {
    const { key } = await make();
    const denied = await inHeader(key, '/awkward/');
    expect(denied.status).toBe(451);
    expect(denied.headers).toMatchObject({ 'content-type': 'application/problem+json', 'x-gate': 'shut' });
    expect(denied.headers).not.toHaveProperty('www-authenticate');
    expect(JSON.parse(denied.body)).toEqual({
      needs: awkward.map((permission) => permission.trim()),
      text: `"127.0.0.1" needs ${awkward.map((permission) => permission.trim()).join(', ')}`,
      why: 'permission_denied',
    });
    const elsewhere = await make({ ip_allowlist: ['10.0.0.0/8', '2001:db8::/32'] });
    expect((await inHeader(elsewhere.key)).body).toBe(
      '{"you":"127.0.0.1","they":["10.0.0.0/8","2001:db8::/32"]}',
    );
    const expired = await make({ expires_in: '1ms' });
    expect((await inHeader(expired.key)).body).toBe(`{"gone":"${expired.expires_at}","limit":null}`);
  });

  it('tells how long to wait and what the limit is', async () => {
    const { key } = await make({ rate_limit: { limit: 1, window: '3650d' } });
    await inHeader(key);
    const { status, body, headers } = await inHeader(key);
    const wait = Number(headers['retry-after']);
    expect([status, JSON.parse(body)]).toEqual([429, { limit: 1, wait, text: `in ${wait} s` }]);
  });

  it('asks for its key by its own name', async () => {
    const missing = await send(stack.envoy.url, '/gate/');
    expect(missing.headers['www-authenticate']).toBe('ApiKey realm="gate"');
    expect(missing.body).toBe('{"why":"missing","expired":null}');
    const token = await send(stack.envoy.url, '/token/');
    expect(token.headers['www-authenticate']).toBe('Token realm="token"');
    expect(JSON.parse(token.body)).toMatchObject({ error: { code: 'missing_api_key' } });
  });

  it('leaves the credential where it is told to', async () => {
    const { key } = await make({ scheme: 'token' });
    const headers = [['authorization', `token ${key}`]] as const;
    const { upstream } = await send(stack.envoy.url, '/', headers);
    expect(upstream?.headers).toMatchObject({
      authorization: [`token ${key}`],
      'x-postern-scheme': ['token'],
    });
    expect((await send(stack.envoy.url, '/', [['authorization', `Bearer ${key}`]])).status).toBe(401);
  });

  it("goes beside the product's own", async () => {
    const { key } = await make({ scheme: 'postern' });
    const { upstream } = await send(stack.envoy.url, '/', [['authorization', `Bearer ${key}`]]);
    expect(upstream?.headers).toMatchObject({ 'x-postern-scheme': ['postern'] });
  });

  it('leaves no key in a log, wherever it was sent', async () => {
    const { id, key } = await make();
    await inHeader(key);
    await send(stack.envoy.url, `/gate/?gate_key=${key}`);
    await send(stack.envoy.url, '/gate/', [['cookie', `gate=${key}`]]);
    await admin(stack.postern, 'DELETE', `/admin/api-keys/${id}`);
    await send(stack.envoy.url, `/gate/last?gate_key=${key}`);
    await expect.poll(() => stack.envoy.log()).toContain('/gate/last');
    for (const log of [stack.envoy.log(), stack.postern.log()]) expect(log).not.toContain(key.slice(12));
  });
});

describe('the keys of checksums', () => {
  it('can be changed: the newest signs, all verify, and one that is gone verifies nothing', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'postern-checksum-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const store = { POSTERN_STORE: `sqlite:${join(folder, 'keys.db')}` };
    const verify = async (keys: string, texts: readonly string[]) => {
      const postern = await startConfigured(settings, { ...store, POSTERN_CHECKSUM_KEYS: keys });
      try {
        const made = await makeKey(postern);
        const reasons = [];
        for (const key of [...texts, made.key]) {
          const answer = await admin(postern, 'POST', '/admin/api-keys:verify', { key });
          reasons.push((answer as { data: { reason: string | null } }).data.reason);
        }
        return { made: made.key, reasons };
      } finally {
        await postern.stop();
      }
    };
    const before = await verify(oldKey, []);
    const between = await verify(`${newKey},${oldKey}`, [before.made]);
    expect(between.reasons).toEqual([null, null]);
    const after = await verify(newKey, [before.made, between.made]);
    expect(after.reasons).toEqual(['malformed', null, null]);
    // Three services start, one after the other.
  });

  it('are asked for where a scheme needs them', async () => {
    await expect(startConfigured(settings)).rejects.toThrow(/hmac needs .*POSTERN_CHECKSUM_KEYS/);
  });
});

function checksumKey(id: string): string {
  return `${id}:${randomBytes(32).toString('base64')}`;
}

function escapeAll(text: string): string {
  return [...text].map((one) => `%${one.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
}
