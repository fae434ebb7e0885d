import { expect, it } from 'vitest';
import { startListener } from '../../http/listener.ts';
import { answering, type Given, postern } from '../console.ts';

const timeMs = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`;

/** A running service, and the command line set up for it. */
async function startService() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const owners = (line: string, given: Given = {}) =>
    postern(['owners', ...line.split(' ')], { environment, ...given });
  return { ...listener, environment, owners };
}

it('puts an owner and says from when on it holds', async () => {
  const { owners } = await startService();

  const ran = [
    await owners('put acme --plan pro --active-until 2199-01-31T01:00:00+01:00'),
    await owners('put acme --active-until 2020-01-01T00:00:00Z'),
    await owners('put acme --suspended --active-until 2199-01-31T00:00:00Z'),
    await owners('put acme'),
  ];

  const states = ['active until 2199-01-31T00:00:00Z', 'lapsed', 'suspended', 'active'];
  for (const [at, { exitCode, stdout }] of ran.entries()) {
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^acme is ${states[at]}: every replica judges so since ${timeMs}\n$`));
  }
});

it('says what a put took away, and how it comes back', async () => {
  const { owners } = await startService();
  await owners('put acme --plan pro --active-until 2199-01-31T00:00:00Z');

  const put = await owners('put acme --suspended');
  const same = await owners('put acme --suspended');
  const lifted = await owners('put acme --plan free');

  expect(put).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^acme is suspended: /) });
  expect(put.stderr).toBe(
    'postern: this took away its plan pro, its end 2199-01-31T00:00:00Z; to have it again:\n' +
      '  postern owners update acme --plan pro --active-until 2199-01-31T00:00:00Z\n',
  );
  expect(same.stderr).toBe('');
  expect(lifted.stderr).toMatch(
    /^postern: this took away its suspension; to have it again:\n.* --suspended\n$/,
  );
});

it('suspends and resumes an owner, whose plan and end stay', async () => {
  const { owners, call } = await startService();
  await owners('put acme --plan pro --active-until 2199-01-31T00:00:00Z');
  const stored = async () => (await call('GET', '/admin/owners/acme')).json.data;
  const [plan, active_until] = ['pro', '2199-01-31T00:00:00Z'];

  const suspended = await owners('suspend acme');
  expect(suspended).toMatchObject({ exitCode: 0, stderr: '' });
  expect(suspended.stdout).toMatch(
    new RegExp(`^acme is suspended: every replica judges so since ${timeMs}\n$`),
  );
  expect(await stored()).toMatchObject({ plan, active_until, suspended: true });

  expect(await owners('resume acme')).toMatchObject({
    ...{ exitCode: 0, stdout: 'acme is active until 2199-01-31T00:00:00Z\n', stderr: '' },
  });
  expect(await stored()).toMatchObject({ plan, active_until, suspended: false });
  expect(JSON.parse((await owners('suspend acme --json')).stdout)).toMatchObject({ suspended: true, plan });
});

it('changes what the flags of update name, and leaves the rest', async () => {
  const { owners, call } = await startService();
  await owners('put acme --plan pro --active-until 2199-01-31T00:00:00Z');
  const { etag } = (await call('GET', '/admin/owners/acme')).json.data;

  const updated = await owners(`update acme --plan free --if-etag ${etag} --json`);
  const stale = await owners(`update acme --plan pro --if-etag ${etag}`);
  const cleared = await owners('update acme --clear active-until --suspended --json');

  expect(JSON.parse(updated.stdout)).toMatchObject({ plan: 'free', active_until: '2199-01-31T00:00:00Z' });
  expect([stale.exitCode, stale.stderr]).toEqual([1, expect.stringContaining('The owner has changed since')]);
  expect(JSON.parse(cleared.stdout)).toMatchObject({ plan: 'free', active_until: null, suspended: true });
  expect(JSON.parse((await owners('update acme --clear suspended --json')).stdout)).toMatchObject({
    ...{ plan: 'free', suspended: false },
  });
  for (const line of ['update acme', 'update acme --suspended --clear suspended', 'update acme --clear id']) {
    expect([line, (await owners(line)).exitCode]).toEqual([line, 2]);
  }
});

it.each(['suspend acme', 'resume acme', 'update acme --plan pro'])(
  'says of an owner that nobody has put that there is none: %s',
  async (line) => {
    const { owners } = await startService();
    expect(await owners(line)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('no owner') });
  },
);

it('hands every flag of put to the service, and takes those left out for absent', async () => {
  const { owners, call } = await startService();

  const put = await owners('put acme --plan pro --active-until 2199-01-31T00:00:00Z --suspended --json');
  const { effective_at, unconfirmed_replicas, ...owner } = JSON.parse(put.stdout);
  const stored = (await call('GET', '/admin/owners/acme')).json.data;
  const again = JSON.parse((await owners('put acme --json')).stdout);

  expect(owner).toEqual(stored);
  expect(owner).toMatchObject({
    ...{ id: 'acme', plan: 'pro', active_until: '2199-01-31T00:00:00Z' },
    ...{ suspended: true, active: false },
  });
  expect(effective_at).toMatch(new RegExp(`^${timeMs}$`));
  expect(unconfirmed_replicas).toEqual([]);
  expect(again).toMatchObject({ plan: null, active_until: null, suspended: false, active: true });
});

it('names the replicas that have not confirmed a change', async () => {
  const { owners, call } = await startService();
  const { data } = (await call('PUT', '/admin/owners/acme', { suspended: true })).json;
  const effective_at = '2031-01-01T00:00:15.000Z';

  const put = await owners(
    'put acme --suspended',
    answering(200, { data: { ...data, effective_at, unconfirmed_replicas: ['b', 'c'] } }),
  );

  expect(put).toMatchObject({
    exitCode: 0,
    stdout: `acme is suspended: every replica judges so from ${effective_at} on\nnot confirmed yet by: b, c\n`,
  });
});

it('shows an owner with all that is known of it', async () => {
  const { owners, call } = await startService();
  const put = { plan: 'pro', active_until: '2199-01-31T00:00:00Z' };
  const { data } = (await call('PUT', '/admin/owners/acme', put)).json;

  const text = await owners('get acme');
  const json = await owners('get acme --json');

  expect(text.stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['id', 'acme'],
    ['name', '-'],
    ['contact', '-'],
    ['state', 'active'],
    ['plan', 'pro'],
    ['active until', '2199-01-31T00:00:00Z'],
    ['billing anchor', '-'],
    ['most keys', '-'],
    ['labels', '-'],
    ['created', data.created_at],
    ['updated', data.updated_at],
    [''],
  ]);
  expect(JSON.parse(json.stdout)).toEqual((await call('GET', '/admin/owners/acme')).json.data);
});

it('lists owners in aligned columns and says how to go on', async () => {
  const { owners, call } = await startService();
  await call('PUT', '/admin/owners/b', { suspended: true });
  const { data } = (await call('PUT', '/admin/owners/an%20owner', { plan: 'pro' })).json;
  await call('PUT', '/admin/owners/c', { active_until: '2020-01-01T00:00:00Z' });

  const whole = await owners('list');
  const page = await owners('list --page-size 2');

  const { created_at: at } = data;
  expect(
    whole.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/)),
  ).toEqual([
    ['ID', 'STATE', 'PLAN', 'ACTIVE UNTIL', 'CREATED', 'UPDATED'],
    ['an owner', 'active', 'pro', 'always', at, at],
    ['b', 'suspended', '-', 'always', at, at],
    ['c', 'lapsed', '-', '2020-01-01T00:00:00Z', at, at],
  ]);
  expect(page.stderr).toMatch(/^postern: more owners follow: --page-token \S+, or --all\n$/);
  const token = /--page-token (\S+),/.exec(page.stderr)?.[1];
  expect((await owners(`list --page-token ${token}`)).stdout).toMatch(/^ID .*\nc .*\n$/);
});

it('follows the pages with --all, as a table and as JSON', async () => {
  const { owners, call } = await startService();
  for (const id of ['a', 'b', 'c']) await call('PUT', `/admin/owners/${id}`, {});

  const text = await owners('list --all --page-size 2');
  const json = await owners('list --all --page-size 2 --json');

  expect(text.stdout.match(/^\w+/gm)).toEqual(['ID', 'a', 'b', 'c']);
  expect(text.stderr).toBe('');
  const { data, next_page_token } = JSON.parse(json.stdout);
  expect([data.map(({ id }: { id: string }) => id), next_page_token]).toEqual([['a', 'b', 'c'], null]);
});

it('lists nothing as nothing, with a word on standard error', async () => {
  const { owners } = await startService();

  expect(await owners('list')).toMatchObject({ exitCode: 0, stderr: 'postern: nobody has put an owner\n' });
  expect(JSON.parse((await owners('list --json')).stdout)).toEqual({ data: [], next_page_token: null });
});

it('takes any id, escaped on its way', async () => {
  const { environment, call } = await startService();

  for (const id of ['a/b', 'a b', '50%', '?#', '...', 'a/../b']) {
    const put = await postern(['owners', 'put', id, '--plan', 'pro'], { environment });
    const got = await postern(['owners', 'get', id, '--json'], { environment });
    expect([id, put.exitCode, got.exitCode]).toEqual([id, 0, 0]);
    expect(JSON.parse(got.stdout)).toMatchObject({ id, plan: 'pro' });
  }
  expect((await call('GET', '/admin/owners')).json.data).toHaveLength(6);
});

it.each(['', '.', '..'])('refuses the id "%s", which no URL can hold, and asks nobody', async (id) => {
  const { fetch, asked } = answering(200, {});
  const environment = { POSTERN_ADMIN_KEY: 'a'.repeat(32) };

  for (const command of ['put', 'get']) {
    const refused = await postern(['owners', command, id], { environment, fetch });
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^postern: .*id.*\nThe gRPC API takes every id that is not empty.\n$/);
  }
  expect(asked).toEqual([]);
});

it('says by its flag what the service does not take', async () => {
  const { environment } = await startService();
  const put = ['owners', 'put', 'ümlaut', '--plan', 'a\u202eb', '--active-until', 'tomorrow'];

  const refused = await postern(put, { environment });

  expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
  expect(refused.stderr).toMatch(/^postern: the service does not take this:\n/);
  expect(refused.stderr).toContain('\n  the id: may hold printable ASCII characters only\n');
  expect(refused.stderr).toContain('\n  --plan: holds control characters\n');
  expect(refused.stderr).toContain('\n  --active-until: is not an RFC 3339 time');
});

it('says that there is no such owner, and where to look', async () => {
  const { owners } = await startService();

  const refused = await owners('get acme');

  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toBe(
    'postern: There is no owner with this id.\nSee which there are with "postern owners list".\n',
  );
});

it.each([[[]], [['put']], [['update']], [['suspend']], [['resume']], [['get']], [['list']]])(
  'begins the help of owners %j with examples',
  async (rest) => {
    const help = await postern(['owners', ...rest, '--help']);

    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    expect(help.stdout).toMatch(
      new RegExp(`^Examples:\n(?:  .+\n)+\nUsage: ${['postern', 'owners', ...rest].join(' ')}`),
    );
  },
);

it('lets nothing from the service act on the terminal', async () => {
  const environment = { POSTERN_ADMIN_KEY: 'a'.repeat(32) };
  const plan = 'a\u001b[2J\u009b1m\u202eb\nc';
  const owner = {
    ...{ id: plan, plan, active_until: plan, suspended: false, active: true },
    ...{ created_at: plan, updated_at: plan, etag: plan },
    ...{ effective_at: plan, unconfirmed_replicas: [plan] },
  };
  const one = answering(200, { data: owner });
  const list = answering(200, { data: [owner], next_page_token: plan });

  for (const [argv, given] of [
    [['put', 'a'], one],
    [['get', 'a'], one],
    [['get', 'a', '--json'], one],
    [['list'], list],
    [['list', '--json'], list],
  ] as const) {
    const { stdout, stderr } = await postern(['owners', ...argv], { environment, ...given });
    expect(stdout).not.toBe('');
    expect(stdout + stderr).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  }
});
