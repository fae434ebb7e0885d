import { expect, it } from 'vitest';
import { startListener } from '../../http/listener.ts';
import { request } from '../../store-contract/use/request-log.ts';
import { postern } from '../console.ts';

const noon = Date.UTC(2031, 1, 3, 12);

it('lists requests of a key or of all, with what became of them, over REST and on the command line', async () => {
  const { service, base, create, call } = await startListener();
  service.clock.now = noon;
  const { id } = await create({ name: 'used', owner: 'acme' });
  const key = id as NonNullable<ReturnType<typeof request>['key']>;
  await service.store.recordRequests([
    request({ id: 'a', key, at: noon - 60_000, count: 12 }),
    request({ id: 'b', key, at: noon, decision: 'deny', reason: 'rate_limited', status: 429, path: null }),
    request({
      id: 'c',
      key: null,
      owner: null,
      at: noon + 1_000,
      decision: 'deny',
      reason: 'missing',
      status: 401,
    }),
  ]);
  const environment = {
    POSTERN_ADDRESS: base,
    POSTERN_ADMIN_KEY: service.adminAuthorization.replace('Bearer ', ''),
  };
  const shown = await postern(['requests', id], { environment });
  const denied = await postern(['requests', '--decision', 'deny', '--reason', 'missing', '--json'], {
    environment,
  });

  expect(shown).toEqual({
    exitCode: 0,
    stderr: '',
    stdout: [
      'AT                    COUNT  KEY                             REQUEST                         ADDRESS    DECISION',
      `2031-02-03T12:00:00Z  1      ${id}  -                               192.0.2.1  deny rate_limited (429)`,
      `2031-02-03T11:59:00Z  12     ${id}  GET api.example.com/v1/assets  192.0.2.1  allow`,
      '',
    ]
      .join('\n')
      .replaceAll('REQUEST                         ', 'REQUEST                        ')
      .replaceAll('-                               ', '-                              '),
  });
  expect(JSON.parse(denied.stdout)).toEqual({
    data: [
      {
        ...{ at: '2031-02-03T12:00:01Z', count: 1, key_id: null, method: 'GET', host: 'api.example.com' },
        ...{ path: '/v1/assets', address: '192.0.2.1', decision: 'deny', reason: 'missing', status: 401 },
        ...{ scheme: 'postern', environment: 'live' },
      },
    ],
    next_page_token: null,
  });
  const pages: unknown[] = [];
  for (let token: string | null = ''; token !== null; ) {
    const query = token === '' ? '' : `&page_token=${token}`;
    const { json } = await call('GET', `/admin/requests?page_size=1${query}`);
    pages.push(...json.data);
    token = json.next_page_token;
  }
  expect(pages.map((row) => (row as { count: number }).count)).toEqual([1, 1, 12]);
});

it('refuses what is no filter, a token of another list, and a key that is not there', async () => {
  const { service, create, call } = await startListener();
  const { id } = await create();
  const key = id as NonNullable<ReturnType<typeof request>['key']>;
  await service.store.recordRequests(['a', 'b'].map((row) => request({ id: row, key, at: noon })));
  const { json } = await call('GET', '/admin/requests?page_size=1');
  const fields = async (path: string) => {
    const reply = await call('GET', path);
    return [reply.status, reply.json.error.details.fields?.map(({ field }: { field: string }) => field)];
  };
  expect(await fields('/admin/requests?decision=allowed&reason=no&since=now')).toEqual([
    400,
    ['since', 'decision', 'reason'],
  ]);
  expect(await fields(`/admin/api-keys/${id}/requests?owner=acme`)).toEqual([400, ['owner']]);
  expect(await fields(`/admin/requests?decision=deny&page_token=${json.next_page_token}`)).toEqual([
    400,
    ['page_token'],
  ]);
  expect(await fields('/admin/api-keys/key_00000000000000000000000000/requests')).toEqual([404, undefined]);
});

it("shows an admin key that has an owner the requests of its keys alone, and not another owner's key", async () => {
  const { service, create, call } = await startListener();
  const admin = await create({ name: 'bound', owner: 'acme', permissions: ['admin:read'] });
  const [own, other] = [
    await create({ owner: 'acme', name: 'a' }),
    await create({ owner: 'zeta', name: 'b' }),
  ];
  await service.store.recordRequests([
    request({ id: 'a', key: own.id as never, owner: 'acme', path: '/own' }),
    request({ id: 'b', key: other.id as never, owner: 'zeta', path: '/other' }),
    request({ id: 'c', key: null, owner: null, path: '/none' }),
  ]);
  const headers = { authorization: `Bearer ${admin.key}` };
  const { json } = await call('GET', '/admin/requests', undefined, headers);
  expect(json.data.map(({ path }: { path: string }) => path)).toEqual(['/own']);
  const status = async (path: string) => (await call('GET', path, undefined, headers)).status;
  expect(await status('/admin/requests?owner=zeta')).toBe(403);
  expect(await status(`/admin/api-keys/${other.id}/requests`)).toBe(404);
  expect(await status(`/admin/api-keys/${own.id}/requests`)).toBe(200);
});
