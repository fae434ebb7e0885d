import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import type { Postern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { type Answer, admin, makeKey, type Stack, send, startStack } from '../stack.ts';

const stores = {
  SQLite: () => 'sqlite::memory:',
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

let owners = 0;

describe.each(Object.keys(stores) as (keyof typeof stores)[])('a subscription, on %s', (name) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack({ POSTERN_STORE: stores[name]() });
  });
  afterAll(() => stack?.stop());

  it('opens the route up to the instant of its end, and closes it from then on', async () => {
    const { owner, key } = await subscriber(stack.postern);
    const end = Date.now() + 1_500;
    const put = await putOwner(stack.postern, owner, { active_until: new Date(end).toISOString() });
    if (Date.now() < end) expect(put).toMatchObject({ active: true });
    const { answer, answeredAt } = await answerFrom(stack, key, 402, end);
    expect(answeredAt).toBeGreaterThanOrEqual(end);
    expectMaveraRefusal(answer);
    await expect(makeKey(stack.postern, { scheme: 'mavera', owner })).rejects.toThrow(
      /409 .*"reason":"OWNER_INACTIVE"/,
    );
  });

  it('opens the route again at once when it is renewed, to old keys and to new ones', async () => {
    const { owner, key } = await subscriber(stack.postern);
    await putOwner(stack.postern, owner, { active_until: '2020-01-01T00:00:00Z' });
    expectMaveraRefusal(await ask(stack, key));
    await putOwner(stack.postern, owner, { active_until: '2199-01-01T00:00:00Z' });
    expect((await ask(stack, key)).upstream?.headers['x-postern-owner']).toEqual([owner]);
    const another = await makeKey(stack.postern, { scheme: 'mavera', owner });
    expect((await ask(stack, another.key)).status).toBe(200);
  });

  it('closes the route at once when its owner is suspended, however long it is paid for', async () => {
    const { owner, key } = await subscriber(stack.postern);
    const other = await subscriber(stack.postern);
    expect((await ask(stack, key)).status).toBe(200);
    const active_until = '2199-01-01T00:00:00Z';
    const put = await putOwner(stack.postern, owner, { active_until, suspended: true });
    expect(put).toMatchObject({ suspended: true, active: false, unconfirmed_replicas: [] });
    expect(Date.parse(put.effective_at)).toBeLessThanOrEqual(Date.now());
    expectMaveraRefusal(await ask(stack, key));
    await expect(makeKey(stack.postern, { scheme: 'mavera', owner })).rejects.toThrow(/409 /);
    expect((await ask(stack, other.key)).status).toBe(200);
    await putOwner(stack.postern, owner, { active_until });
    expect((await ask(stack, key)).status).toBe(200);
  });

  it('that has ended says nothing of a key that is revoked besides', async () => {
    const { owner, id, key } = await subscriber(stack.postern);
    await putOwner(stack.postern, owner, { suspended: true });
    await admin(stack.postern, 'DELETE', `/admin/api-keys/${id}`);
    const { status, body } = await ask(stack, key);
    expect([status, JSON.parse(body).error.code]).toEqual([401, 'revoked_api_key']);
  });
});

describe('two replicas on one MongoDB', () => {
  let here: Stack;
  let there: Stack;
  beforeAll(async () => {
    const settings = { POSTERN_STORE: stores.MongoDB() };
    [here, there] = await Promise.all([startStack(settings), startStack(settings)]);
  });
  afterAll(() => Promise.all([here?.stop(), there?.stop()]));

  it('a suspension on one closes the route behind the other, and a renewal opens it', async () => {
    const { owner, key } = await subscriber(here.postern);
    for (const stack of [here, there]) expect((await ask(stack, key)).status).toBe(200);

    const suspended = await putOwner(here.postern, owner, { suspended: true });
    expectMaveraRefusal(await ask(here, key));
    const refused = await answerFrom(there, key, 402, Date.parse(suspended.effective_at));
    expectMaveraRefusal(refused.answer);
    await expect(makeKey(there.postern, { scheme: 'mavera', owner })).rejects.toThrow(/409 /);

    const renewed = await putOwner(there.postern, owner, {});
    expect((await ask(there, key)).status).toBe(200);
    await answerFrom(here, key, 200, Date.parse(renewed.effective_at));
    expect((await makeKey(here.postern, { scheme: 'mavera', owner })).key).toMatch(/^mvra_live_/);
  });

  it('a subscription that is put on one ends behind the other too, at the same instant', async () => {
    const { owner, key } = await subscriber(here.postern);
    for (const stack of [here, there]) expect((await ask(stack, key)).status).toBe(200);
    const end = Date.now() + 2_000;
    const put = await putOwner(here.postern, owner, { active_until: new Date(end).toISOString() });
    const due = Math.max(end, Date.parse(put.effective_at));
    for (const { answeredAt } of await Promise.all([
      answerFrom(here, key, 402, end),
      answerFrom(there, key, 402, due),
    ])) {
      expect(answeredAt).toBeGreaterThanOrEqual(end);
    }
  });
});

interface Put {
  readonly effective_at: string;
  readonly [field: string]: unknown;
}

async function putOwner(postern: Postern, id: string, owner: object): Promise<Put> {
  const path = `/admin/owners/${encodeURIComponent(id)}`;
  const { data } = (await admin(postern, 'PUT', path, owner)) as { data: Put };
  return data;
}

/** A Mavera key of an owner that nobody else has. */
async function subscriber(postern: Postern) {
  owners++;
  const owner = `customers/${owners}`;
  return { owner, ...(await makeKey(postern, { scheme: 'mavera', owner })) };
}

function ask(stack: Stack, key: string): Promise<Answer> {
  return send(stack.envoy.url, '/', [['authorization', `Bearer ${key}`]]);
}

/** Asks until the answer has this status; fails when one that was asked for from `due` on has another. */
async function answerFrom(stack: Stack, key: string, status: number, due: number) {
  return until(`answered ${status}`, async () => {
    const askedAt = Date.now();
    const answer = await ask(stack, key);
    if (answer.status === status) return { answer, answeredAt: Date.now() };
    expect(askedAt, `answered ${answer.status} ${askedAt - due} ms too late`).toBeLessThan(due);
    return undefined;
  });
}

function expectMaveraRefusal({ status, headers, body, upstream }: Answer): void {
  expect([status, upstream]).toEqual([402, undefined]);
  expect(body).toMatch(
    /^\{"error":\{"message":"[^"]+","type":"billing_error","code":"subscription_inactive","param":null\}\}$/,
  );
  expect(headers['content-type']).toMatch(/^application\/json/);
  expect(headers).not.toHaveProperty('www-authenticate');
}
