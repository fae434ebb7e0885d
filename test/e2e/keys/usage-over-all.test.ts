import { beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../real/mongod.ts';
import { until } from '../../real/until.ts';
import { startChangedStack } from '../routes.ts';
import { admin, makeKey, type Stack, send } from '../stack.ts';

const stores = {
  SQLite: () => 'sqlite::memory:',
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};
const settings = `usage_flush_interval: 200ms
plans: { free: { limit: 100000, window: 1d }, pro: { limit: 200000, window: 1d } }
`;

describe.each(Object.keys(stores) as (keyof typeof stores)[])('usage over all, on %s', (name) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startChangedStack(settings, { POSTERN_STORE: stores[name]() });
    return () => stack.stop();
  });

  it('adds up to what was sent through Envoy, under the plan that held with each request', async () => {
    const { postern } = stack;
    const sums = async (query: string) => {
      const answer = await admin(postern, 'GET', `/admin/usage?interval=all&${query}`);
      return (answer as { data: Row[] }).data.map(
        ({ group, allowed, denied }) => [group, allowed, denied] as const,
      );
    };
    await admin(postern, 'PUT', '/admin/owners/acme', { plan: 'free' });
    const owned = await makeKey(postern, { owner: 'acme' });
    const own = await makeKey(postern, { owner: 'acme', plan: 'pro' });
    const nobodys = await makeKey(postern);
    /** How many were allowed under each plan, as its limit tells, and how many were not. */
    const sent = { free: 0, pro: 0, denied: 0, byKey: {} as Record<string, number> };
    const sendTimes = async ({ id, key }: { readonly id: string; readonly key: string }, times: number) => {
      for (let time = 0; time < times; time++) {
        const { status, headers } = await send(stack.envoy.url, '/v1/things', [
          ['authorization', `Bearer ${key}`],
        ]);
        if (status === 401) sent.denied++;
        // A machine that is very busy may answer that the store was away.
        if (status !== 200) continue;
        sent.byKey[id] = (sent.byKey[id] ?? 0) + 1;
        if (headers['x-ratelimit-limit'] === '100000') sent.free++;
        if (headers['x-ratelimit-limit'] === '200000') sent.pro++;
      }
    };
    await sendTimes(owned, 7);
    await sendTimes(own, 3);
    await sendTimes(nobodys, 2);
    // Within one interval of writing: what came before is not the new plan's.
    await admin(postern, 'PUT', '/admin/owners/acme', { plan: 'pro' });
    await sendTimes(owned, 4);
    await admin(postern, 'POST', `/admin/api-keys/${nobodys.id}/disable`);
    await sendTimes(nobodys, 5);
    expect(sent.denied).toBeGreaterThan(0);

    await until('all of it is added up', async () => {
      const denials = (await sums('group_by=key')).flatMap(([, , denied]) => Object.values(denied ?? {}));
      const ofAcme = await sums('group_by=owner&owner=acme');
      return (
        denials.reduce((all, count) => all + count, 0) === sent.denied &&
        ofAcme[0]?.[1] === sent.free + sent.pro
      );
    });
    expect(Math.min(sent.free, sent.pro)).toBeGreaterThan(0);
    expect(Object.fromEntries(await sums('group_by=plan&owner=acme').then(countsOf))).toEqual({
      free: sent.free,
      pro: sent.pro,
    });
    expect(await sums('group_by=key&owner=acme')).toEqual([
      [owned.id, sent.byKey[owned.id], {}],
      [own.id, sent.byKey[own.id], {}],
    ]);
    expect((await sums('group_by=owner')).find(([group]) => group === 'acme')).toEqual([
      ...['acme', sent.free + sent.pro, {}],
    ]);
    const ofNobody = (await sums('group_by=key')).find(([group]) => group === nobodys.id);
    expect(ofNobody).toEqual([nobodys.id, sent.byKey[nobodys.id], { disabled: sent.denied }]);
    expect(await sums('group_by=environment&owner=acme')).toEqual([['live', sent.free + sent.pro, {}]]);
  });
});

function countsOf(rows: readonly (readonly [string | null, number, unknown])[]): [string, number][] {
  return rows.map(([group, allowed]) => [group ?? '', allowed]);
}

interface Row {
  readonly group: string | null;
  readonly allowed: number;
  readonly denied: Readonly<Record<string, number>>;
}
