import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startEcho } from '../../real/echo.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { freePort } from '../../real/port.ts';
import { startPostern } from '../../real/postern.ts';
import { startChangedEnvoy, startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';
import {
  converra,
  keyText,
  mavera,
  modelriver,
  prefixFor,
  presented,
  type Reason,
  reasons,
  statuses,
  type Vendor,
  vendors,
} from './vendor-cases.ts';
import { bringAbout, longWindowEnd, vendorRoutes, vendorRules } from './vendors-failures.ts';

/** The two stores, and the two ways for a route to say what it asks for. */
const settings = {
  'SQLite, with context_extensions': () =>
    startChangedStack('', { POSTERN_STORE: 'sqlite::memory:' }, { routes: vendorRoutes }),
  'MongoDB, with rules': () =>
    startChangedStack(vendorRules, { POSTERN_STORE: freshDatabase(inject('mongoUri')).uri }),
};

describe.each(Object.keys(settings) as (keyof typeof settings)[])('on %s', (name) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await settings[name]();
  });
  afterAll(() => stack?.stop());

  describe.each(vendors)('$scheme', (vendor) => {
    const { scheme } = vendor;
    const path = `/v/${scheme}/`;

    it.each(reasons.filter((reason) => reason !== 'unavailable'))(
      'answers %s to the byte',
      async (reason) => {
        const { facts, ...request } = await bringAbout(stack, vendor, reason);
        const reached = stack.echo.requests();
        const { status, headers, body } = await send(stack.envoy.url, request.path, request.headers);
        expect(status).toBe(statuses[reason]);
        const expected = vendor.bodies(facts)[reason];
        expect(JSON.parse(body)).toEqual(expected);
        expect(layout(JSON.parse(body))).toEqual(layout(expected));
        expect(told(headers)).toEqual(expectedHeaders(vendor, reason));
        expect(stack.echo.requests()).toBe(reached);
      },
    );

    it.each(Object.entries(vendor.prefixes))(
      'makes keys with %s for %s alone',
      async (prefix, environment) => {
        const made = await makeKey(stack.postern, { scheme, environment });
        expect(made.key.startsWith(prefix)).toBe(true);
        expect(made.key.slice(prefix.length)).toMatch(vendor.minted);
        expect(made).toMatchObject({ scheme, environment });
        const headers = [presented(vendor, made.key)];
        const [live, test] = [
          await send(stack.envoy.url, path, headers),
          await send(stack.envoy.url, `${path}test-env/`, headers),
        ];
        const isLive = environment === 'live';
        expect([live.status, test.status]).toEqual(isLive ? [200, 401] : [401, 200]);
        const { upstream } = isLive ? live : test;
        expect(upstream?.headers).toMatchObject({
          'x-postern-key-id': [made.id],
          'x-postern-scheme': [scheme],
          'x-postern-environment': [environment],
        });
        expect(upstream?.headers).not.toHaveProperty(vendor.header);
      },
    );

    it('makes no keys for an environment that the vendor has no prefix for', async () => {
      for (const environment of ['live', 'test', 'staging'].filter(
        (known) => !Object.values<string>(vendor.prefixes).includes(known),
      )) {
        await expect(makeKey(stack.postern, { scheme, environment })).rejects.toThrow(/: 400 /);
      }
    });

    it('shows a key once, and lists what the vendor lists', async () => {
      const { id, key, ...rest } = await makeKey(stack.postern, { scheme, name: `Shown by ${scheme}` });
      const one = await admin(stack.postern, 'GET', `/admin/api-keys/${id}`);
      const list = await admin(stack.postern, 'GET', `/admin/api-keys?scheme=${scheme}&page_size=1`);
      for (const answer of [one, list]) expect(JSON.stringify(answer)).not.toContain(key);
      const [listed] = (list as { data: Record<string, unknown>[] }).data;
      expect(listed).toEqual({ id, ...rest });
      for (const member of vendor.listed) expect(listed).toHaveProperty(member);
      const prefix = prefixFor(vendor, 'live');
      expect(listed).toMatchObject({ prefix: key.slice(0, prefix.length + 4), last4: key.slice(-4) });
    });

    it('takes every form that the vendor takes, and none besides', async () => {
      const { characters, min, max } = vendor.accepted;
      const judge = async (key: string) => {
        const { data } = (await admin(stack.postern, 'POST', '/admin/api-keys:verify', { key, scheme })) as {
          data: { reason: string };
        };
        return data.reason;
      };
      // Few, since the store is asked for so many unknown keys and no more; forms.test.ts tries every character.
      for (const length of [min, max ?? 200]) {
        expect(await judge(keyText(vendor, 'live', length))).toBe('unknown');
      }
      const others = [...asciiWithout(characters)].map((one) => keyText(vendor).slice(0, -1) + one);
      const wrong = [keyText(vendor, 'live', min - 1), ...others];
      if (max !== null) wrong.push(keyText(vendor, 'live', max + 1));
      expect(new Set(await Promise.all(wrong.map(judge)))).not.toContain('unknown');
    });

    it('looks in its own place alone', async () => {
      const { key } = await makeKey(stack.postern, { scheme });
      const elsewhere = [
        ['authorization', `Bearer ${key}`],
        ['authorization', `Basic ${key}`],
        ['authorization', key],
        ['x-api-key', key],
        ['x-api-key', `Bearer ${key}`],
        ['api-key', key],
        ['cookie', `api_key=${key}`],
      ] as const;
      const [header, value] = presented(vendor, key);
      for (const [name, text] of elsewhere) {
        const isThere = name === header && text === value;
        const { status } = await send(stack.envoy.url, path, [[name, text]]);
        expect([name, text.split(' ').length, status]).toEqual([
          name,
          text.split(' ').length,
          isThere ? 200 : 401,
        ]);
      }
      expect((await send(stack.envoy.url, `${path}?api_key=${key}&key=${key}`)).status).toBe(401);
    });
  });

  it('mavera: while a subscription is lapsed its keys answer 402 and none are made; renewing restores', async () => {
    const owner = 'lapsing';
    const put = (activeUntil: string | null) =>
      admin(stack.postern, 'PUT', `/admin/owners/${owner}`, { active_until: activeUntil });
    const { key } = await makeKey(stack.postern, { scheme: 'mavera', owner });
    const ask = async () => (await send(stack.envoy.url, '/v/mavera/', [presented(mavera, key)])).status;
    expect(await ask()).toBe(200);
    await put('2020-01-31T00:00:00Z');
    expect(await ask()).toBe(402);
    await expect(makeKey(stack.postern, { scheme: 'mavera', owner })).rejects.toThrow(
      /: 409 .*FAILED_PRECONDITION/,
    );
    await put('2999-01-31T00:00:00Z');
    expect(await ask()).toBe(200);
    await makeKey(stack.postern, { scheme: 'mavera', owner });
  });

  it('modelriver: keys last 1, 7, 30, 60 or 90 days or for ever', async () => {
    for (const days of [1, 7, 30, 60, 90]) {
      const made = await makeKey(stack.postern, { scheme: 'modelriver', expires_in: `${days}d` });
      const lasts = Date.parse(String(made.expires_at)) - Date.parse(String(made.created_at));
      expect(lasts).toBe(days * 86_400_000);
    }
    expect(await makeKey(stack.postern, { scheme: 'modelriver', expires_in: 'never' })).toMatchObject({
      expires_at: null,
    });
  });

  it('a key is allowed until it expires, and is told so from then on', async () => {
    const words = {
      mavera: 'Key has expired',
      converra: 'API key has expired',
      modelriver: 'expired_api_key',
    };
    await Promise.all(
      [mavera, converra, modelriver].map(async (vendor) => {
        const { scheme } = vendor;
        const made = await makeKey(stack.postern, { scheme, expires_in: '1s' });
        const told = new Set<string>();
        const ask = async () => {
          const { status, body } = await send(stack.envoy.url, `/v/${scheme}/`, [
            presented(vendor, made.key),
          ]);
          if (status !== 200) told.add(body);
          return status;
        };
        await expect.poll(ask).toBe(401);
        expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(String(made.expires_at)));
        expect(await ask()).toBe(401);
        expect([...told]).toEqual([expect.stringContaining(words[scheme as keyof typeof words])]);
      }),
    );
  });
});

describe('while the store is away', () => {
  let front: Pick<Stack, 'postern' | 'envoy' | 'echo'>;
  beforeAll(async () => {
    const nobody = `mongodb://127.0.0.1:${await freePort()}/postern`;
    const [postern, echo] = await Promise.all([
      startPostern({ POSTERN_STORE: nobody }, { ready: false }),
      startEcho(),
    ]);
    const addresses = { checkAddress: postern.check, upstreamAddress: echo.address };
    front = { postern, echo, envoy: await startChangedEnvoy({ ...addresses, routes: vendorRoutes }) };
  });
  afterAll(() => Promise.all(Object.values(front ?? {}).map((part) => part.stop())));

  it.each(vendors)("$scheme's caller reads 503 in $scheme's words, with Retry-After", async (vendor) => {
    const { headers: sent, path } = await bringAbout(front, vendor, 'unavailable');
    const { status, headers, body } = await send(front.envoy.url, path, sent);
    expect(status).toBe(503);
    expect(JSON.parse(body)).toEqual(vendor.bodies({}).unavailable);
    expect(layout(JSON.parse(body))).toEqual(layout(vendor.bodies({}).unavailable));
    expect(told(headers)).toEqual(expectedHeaders(vendor, 'unavailable'));
  });
});

/** The names of a value's members in their order, all the way down. */
function layout(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || 'asymmetricMatch' in value) return null;
  return Object.entries(value).map(([name, member]) => [name, layout(member)]);
}

/** What an answer tells its caller besides how it travelled. */
function told(headers: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const carriage = new Set(['content-length', 'date', 'server', 'connection', 'keep-alive']);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !carriage.has(name)));
}

function expectedHeaders(vendor: Vendor, reason: Reason): Record<string, unknown> {
  const json = { 'content-type': 'application/json' };
  if (reason === 'unavailable') return { ...json, 'retry-after': '1' };
  if (reason === 'rate_limited') {
    return {
      ...json,
      'retry-after': expect.stringMatching(/^[1-9][0-9]*$/),
      'x-ratelimit-limit': '1',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(longWindowEnd()),
    };
  }
  if (statuses[reason] !== 401) return json;
  const challenge = reason === 'missing' ? vendor.challenge : `${vendor.challenge}, error="invalid_token"`;
  return { ...json, 'www-authenticate': challenge };
}

function asciiWithout(characters: string): string {
  const all = Array.from({ length: 94 }, (_, at) => String.fromCharCode(0x21 + at));
  return all.filter((one) => !characters.includes(one)).join('');
}
