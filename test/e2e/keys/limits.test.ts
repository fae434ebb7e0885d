import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { type Route, startChangedStack } from '../routes.ts';
import { type Answer, admin, type MadeKey, makeKey, type Stack, send } from '../stack.ts';

const stores = {
  SQLite: () => 'sqlite::memory:',
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

const scheme = 'converra';
const costs = [0, 7, 298];
const routes: Route[] = [
  ...costs.map((cost) => ({ prefix: `/cost/${cost}/`, context: { scheme, cost: String(cost) } })),
  { prefix: '/write/', context: { scheme, permissions: 'write:things' } },
  { prefix: '/test-env/', context: { scheme, environment: 'test' } },
];

describe.each(Object.keys(stores) as (keyof typeof stores)[])("Converra's limits, on %s", (name) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startChangedStack('', { POSTERN_STORE: stores[name]() }, { routes });
  });
  afterAll(() => stack?.stop());
  const make = (wanted: Readonly<Record<string, unknown>> = {}) =>
    makeKey(stack.postern, { scheme, ...wanted });
  const ask = (made: MadeKey, path = '/') => askThrough(stack, made, path);

  it('a key on Free makes 60 requests a minute, and is told how it stands on each', () =>
    withinOneWindow(60, async () => {
      const made = await make();
      const answers: Answer[] = [];
      for (let sent = 0; sent < 60; sent++) answers.push(await ask(made));
      const askedAt = Date.now();
      const last = await ask(made);
      const answeredAt = Date.now();
      const reset = String(nextMultipleOf(60));
      for (const [index, answer] of answers.entries()) {
        expect(answer.status).toBe(200);
        expect(standing(answer)).toEqual({
          'x-ratelimit-limit': '60',
          'x-ratelimit-remaining': String(59 - index),
          'x-ratelimit-reset': reset,
        });
      }
      expect(last.status).toBe(429);
      expect(last.headers).toMatchObject({
        'content-type': 'application/json',
        'x-ratelimit-limit': '60',
        'x-ratelimit-remaining': '0',
        'x-ratelimit-reset': reset,
      });
      const wait = Number(last.headers['retry-after']);
      expect(wait).toBeGreaterThanOrEqual(Number(reset) - answeredAt / 1_000);
      expect(wait).toBeLessThanOrEqual(Math.ceil(Number(reset) - askedAt / 1_000));
      expect(JSON.parse(last.body)).toEqual({
        error: { code: 'RATE_LIMITED', message: expect.any(String) },
      });
    }));

  it('a key on Pro has 300, of which a route that says so costs more than one', () =>
    withinOneWindow(60, async () => {
      const made = await make({ plan: 'Pro' });
      expect(standing(await ask(made))).toMatchObject({
        'x-ratelimit-limit': '300',
        'x-ratelimit-remaining': '299',
      });
      expect(await left(ask(made))).toEqual([200, 298]);
      expect(await left(ask(made, '/cost/7/'))).toEqual([200, 291]);
      // More than is left: none of it is spent.
      expect(await left(ask(made, '/cost/298/'))).toEqual([429, 291]);
      expect(await left(ask(made))).toEqual([200, 290]);
    }));

  it('a cost of 0 spends nothing, and passes while something is left', () =>
    withinOneWindow(60, async () => {
      const made = await make({ rate_limit: { limit: 1, window: '60s' } });
      expect(await left(ask(made, '/cost/0/'))).toEqual([200, 1]);
      expect(await left(ask(made))).toEqual([200, 0]);
      expect(await left(ask(made))).toEqual([429, 0]);
      expect(await left(ask(made, '/cost/0/'))).toEqual([429, 0]);
    }));

  it('a key on Enterprise has the limit that is its own, or none', async () => {
    expect(standing(await ask(await make({ plan: 'enterprise' })))).toEqual({});
    const custom = await make({ plan: 'enterprise', rate_limit: { limit: 1_000, window: '1h' } });
    const answer = await ask(custom);
    expect(standing(answer)).toMatchObject({
      'x-ratelimit-limit': '1000',
      'x-ratelimit-remaining': '999',
    });
    expect(Number(answer.headers['x-ratelimit-reset']) % 3_600).toBe(0);
  });

  it("a key's own limit comes before its plan, its plan before its owner's, its owner's before Free", async () => {
    const owner = `buyer-${name}`;
    await admin(stack.postern, 'PUT', `/admin/owners/${owner}`, { plan: 'pro' });
    const limitOf = async (made: MadeKey) => (await ask(made)).headers['x-ratelimit-limit'];
    const plain = await make({ owner });
    expect(await limitOf(await make())).toBe('60');
    expect(await limitOf(await make({ owner: 'nobody-put-this-one' }))).toBe('60');
    expect(await limitOf(plain)).toBe('300');
    expect(await limitOf(await make({ owner, plan: 'free' }))).toBe('60');
    expect(await limitOf(await make({ owner, plan: 'pro', rate_limit: { limit: 9, window: '1m' } }))).toBe(
      '9',
    );
    await admin(stack.postern, 'PUT', `/admin/owners/${owner}`, { plan: 'free' });
    expect(await limitOf(plain)).toBe('60');
  });

  it('two keys of one owner spend apart', () =>
    withinOneWindow(60, async () => {
      const rate_limit = { limit: 1, window: '60s' };
      const [one, other] = [
        await make({ owner: 'acme', rate_limit }),
        await make({ owner: 'acme', rate_limit }),
      ];
      expect(await left(ask(one))).toEqual([200, 0]);
      expect(await left(ask(other))).toEqual([200, 0]);
      expect(await left(ask(one))).toEqual([429, 0]);
    }));

  it('what is denied, for whatever reason, and what is verified spends nothing', () =>
    withinOneWindow(60, async () => {
      const made = await make({ rate_limit: { limit: 3, window: '60s' } });
      const verify = async () => {
        const body = { key: made.key };
        const answer = (await admin(stack.postern, 'POST', '/admin/api-keys:verify', body)) as {
          data: { allowed: boolean; reason: string | null; status: number };
        };
        return [answer.data.allowed, answer.data.reason, answer.data.status];
      };
      for (let times = 0; times < 5; times++) {
        expect((await ask(made, '/write/')).status).toBe(403);
        expect((await ask(made, '/test-env/')).status).toBe(401);
        expect(await verify()).toEqual([true, null, 200]);
      }
      await admin(stack.postern, 'POST', `/admin/api-keys/${made.id}/disable`);
      for (let times = 0; times < 5; times++) expect((await ask(made)).status).toBe(401);
      await admin(stack.postern, 'POST', `/admin/api-keys/${made.id}/enable`);
      expect(await left(ask(made))).toEqual([200, 2]);
      for (let times = 0; times < 5; times++) expect(await left(ask(made, '/cost/7/'))).toEqual([429, 2]);
      expect(await left(ask(made))).toEqual([200, 1]);
      expect(await left(ask(made))).toEqual([200, 0]);
      expect(await verify()).toEqual([false, 'rate_limited', 429]);
    }));

  it('a window begins at a multiple of its length since 1970, and then all is there again', async () => {
    const made = await make({ rate_limit: { limit: 2, window: '2s' } });
    let spent: Answer | undefined;
    await expect
      .poll(async () => {
        const answer = await ask(made);
        if (answer.status === 429) spent = answer;
        return answer.status;
      })
      .toBe(429);
    const reset = Number(spent?.headers['x-ratelimit-reset']);
    expect(reset % 2).toBe(0);
    expect(spent?.headers['retry-after']).toMatch(/^[12]$/);
    await expect.poll(async () => (await ask(made)).status).toBe(200);
    expect(Date.now()).toBeGreaterThanOrEqual(reset * 1_000);
  });
});

describe('plans of the settings', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startChangedStack(`
plans:
  free: { limit: 5, window: 1h }
  Gold: { limit: 70, window: 1d }
  flat: unlimited
`);
  });
  afterAll(() => stack?.stop());

  const standingOf = async (wanted: Readonly<Record<string, unknown>>) => {
    const made = await makeKey(stack.postern, wanted);
    const headers = [['authorization', `Bearer ${made.key}`]] as const;
    return standing(await send(stack.envoy.url, '/', headers));
  };

  it("come before the vendor's of the same name, beside its others", async () => {
    await withinOneWindow(3_600, async () =>
      expect(await standingOf({ scheme })).toMatchObject({
        'x-ratelimit-limit': '5',
        'x-ratelimit-remaining': '4',
        'x-ratelimit-reset': String(nextMultipleOf(3_600)),
      }),
    );
    expect(await standingOf({ scheme, plan: 'pro' })).toMatchObject({ 'x-ratelimit-limit': '300' });
    expect(await standingOf({ scheme, plan: 'flat' })).toEqual({});
  });

  it('hold for the keys of every scheme, by their name in any case', async () => {
    await withinOneWindow(86_400, async () =>
      expect(await standingOf({ scheme: 'mavera', plan: 'gold' })).toMatchObject({
        'x-ratelimit-limit': '70',
        'x-ratelimit-reset': String(nextMultipleOf(86_400)),
      }),
    );
    expect(await standingOf({ scheme: 'mavera' })).toEqual({});
  });

  it('are the only ones that a key may be given', async () => {
    await expect(makeKey(stack.postern, { scheme, plan: 'platinum' })).rejects.toThrow(
      /: 400 .*free, pro, enterprise, gold, flat/,
    );
  });

  it('are the only ones that an owner may be given', async () => {
    await expect(admin(stack.postern, 'PUT', '/admin/owners/mistyped', { plan: 'fere' })).rejects.toThrow(
      /400 .*did you mean free/,
    );
    expect(await standingOf({ scheme, owner: 'mistyped' })).toMatchObject({ 'x-ratelimit-limit': '5' });
  });
});

function askThrough(stack: Stack, made: MadeKey, path: string): Promise<Answer> {
  return send(stack.envoy.url, path, [['authorization', `Bearer ${made.key}`]]);
}

/** Runs it again where a window of so many seconds ended under way. */
async function withinOneWindow(seconds: number, attempt: () => Promise<void>): Promise<void> {
  for (;;) {
    const end = nextMultipleOf(seconds);
    try {
      await attempt();
      if (nextMultipleOf(seconds) === end) return;
    } catch (error) {
      if (nextMultipleOf(seconds) === end) throw error;
    }
  }
}

/** The end of the window that it is now, Unix seconds. */
function nextMultipleOf(seconds: number): number {
  return (Math.floor(Date.now() / 1_000 / seconds) + 1) * seconds;
}

/** The status, and how many units are left. */
async function left(asked: Promise<Answer>): Promise<[status: number, remaining: number]> {
  const { status, headers } = await asked;
  return [status, Number(headers['x-ratelimit-remaining'])];
}

/** What the answer says of the limit. */
function standing({ headers }: Answer): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-ratelimit-')));
}
