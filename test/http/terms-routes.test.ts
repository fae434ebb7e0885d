import { expect, it } from 'vitest';
import { StoreUnavailable } from '../../src/store/store.ts';
import { startListener } from './listener.ts';

it('says who calls, what they may do, and what keys they may ask for', async () => {
  const { call } = await startListener();

  const { status, json } = await call('GET', '/admin/terms');

  expect(status).toBe(200);
  expect(json.data).toMatchObject({
    ...{ actor: 'POSTERN_ADMIN_KEY', permissions: ['admin:read', 'admin:write'], owner: null, replicas: 1 },
  });
  expect(json.data.schemes.map(({ name }: { name: string }) => name)).toEqual([
    ...['postern', 'mavera', 'powerverse', 'converra', 'modelriver', 'mira', 'problem'],
  ]);
  expect(json.data.schemes).toContainEqual({
    ...{ name: 'postern', environments: ['live', 'test'], plans: [], imports_only: false },
    places: [{ in: 'header', name: 'authorization', word: 'Bearer' }],
  });
  expect(json.data.schemes).toContainEqual(
    expect.objectContaining({ name: 'mavera', environments: ['live'], plans: [], imports_only: false }),
  );
  expect(json.data.schemes).toContainEqual(
    expect.objectContaining({
      ...{ name: 'converra', environments: ['live', 'test'], plans: ['free', 'pro', 'enterprise'] },
      imports_only: false,
    }),
  );
});

it('says what may be asked for while the store is away', async () => {
  const { call, service } = await startListener();
  service.store.countReplicas = () => Promise.reject(new StoreUnavailable('gone'));

  const { status, json } = await call('GET', '/admin/terms');

  expect([status, json.data.replicas]).toEqual([200, null]);
});

it('tells an admin key its own bounds', async () => {
  const { call, create } = await startListener();
  const { id, key } = await create({
    name: 'r',
    scheme: 'postern',
    permissions: ['admin:read'],
    owner: 'acme',
  });

  const { json } = await call('GET', '/admin/terms', undefined, { authorization: `Bearer ${key}` });

  expect(json.data).toMatchObject({ actor: id, permissions: ['admin:read'], owner: 'acme' });
});

it('can be asked for choices that CreateKey takes', async () => {
  const { call } = await startListener();
  const { schemes } = (await call('GET', '/admin/terms')).json.data;

  for (const { name, environments, plans } of schemes) {
    for (const environment of environments) {
      const wanted = { name: 'x', scheme: name, environment, plan: plans[0] ?? null };
      expect([name, environment, (await call('POST', '/admin/api-keys', wanted)).status]).toEqual([
        ...[name, environment, 201],
      ]);
    }
    const { data } = (await call('POST', '/admin/api-keys', { name: 'x', scheme: name })).json;
    expect([name, data.environment]).toEqual([name, environments[0]]);
  }
});
