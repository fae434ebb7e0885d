import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { type Browser, createBrowser } from '../../console/browser.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { admin, makeKey } from '../stack.ts';

let one: Postern;
let other: Postern;
beforeAll(async () => {
  const settings = {
    POSTERN_STORE: freshDatabase(inject('mongoUri')).uri,
    POSTERN_CONSOLE_SESSION_SECRET: Buffer.alloc(32, 7).toString('base64'),
  };
  [one, other] = (await Promise.all(
    ['one', 'other'].map((id) => startPostern({ ...settings, POSTERN_REPLICA_ID: id })),
  )) as [Postern, Postern];
  for (const owner of ['acme', 'globex']) await makeKey(one, { name: `of ${owner}`, owner });
});
afterAll(() => Promise.all([one?.stop(), other?.stop()]));

/** A link for acme that the replica makes; each has it at the same path. */
async function link(replica: Postern): Promise<{ id: string; path: string }> {
  const wanted = { owner: 'acme', permissions: ['keys:read'] };
  const { data } = Object(await admin(replica, 'POST', '/admin/portal-sessions', wanted));
  return { id: data.id, path: data.url.slice(replica.url.length) };
}

/** What each replica shows to who has the browser's cookie, as a balancer in front of both would lead them. */
async function keysOnBoth({ cookie }: Browser): Promise<{ status: number; text: string }[]> {
  const copies = [one, other].map(({ url }) => Object.assign(createBrowser(url), { cookie }));
  return Promise.all(copies.map((copy) => copy.get('/console/keys')));
}

it.each([
  ['the same replica', 0],
  ['the other replica', 1],
] as const)(
  'a session that was opened on one replica ends on both at once by DELETE on %s',
  async (_, at) => {
    const { id, path } = await link(other);
    const visitor = createBrowser(one.url);
    expect(await visitor.send(path, '')).toMatchObject({ status: 303, location: '/console' });
    for (const { status, text } of await keysOnBoth(visitor)) {
      expect([status, text]).toEqual([200, expect.stringContaining('of acme')]);
      expect(text).not.toContain('globex');
    }
    const ended = await admin([one, other][at] as Postern, 'DELETE', `/admin/portal-sessions/${id}`);
    expect(ended).toMatchObject({ data: { ended_at: expect.stringMatching(/Z$/) } });
    const shown = await keysOnBoth(visitor);
    expect(shown.map(({ status }) => status)).toEqual([401, 401]);
    for (const { text } of shown) expect(text).not.toContain('of acme');
  },
);

it('who signs out on one replica has signed out on the other', async () => {
  const visitor = createBrowser(one.url);
  await visitor.send((await link(one)).path, '');
  await visitor.get('/console/keys');
  const { cookie } = visitor;
  expect((await visitor.post('/console/sign-out', {})).text).toContain('You are signed out');
  const shown = await keysOnBoth(Object.assign(visitor, { cookie }));
  expect(shown.map(({ status }) => status)).toEqual([401, 401]);
});

it('a link opens once over both replicas, of many who try at once', async () => {
  const { path } = await link(one);
  const tries = Array.from({ length: 6 }, () => [one, other].map(({ url }) => createBrowser(url))).flat();
  const opened = await Promise.all(tries.map((browser) => browser.send(path, '')));
  expect(opened.map(({ status }) => status).toSorted()).toEqual([303, ...Array(11).fill(410)]);
  for (const { url } of [one, other]) expect((await createBrowser(url).get(path)).status).toBe(410);
  const [inside, ...more] = tries.filter((_, at) => opened[at]?.status === 303);
  if (inside === undefined) throw new Error('nobody got in');
  expect(more).toEqual([]);
  expect((await keysOnBoth(inside)).map(({ status }) => status)).toEqual([200, 200]);
});
