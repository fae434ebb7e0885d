import { expect, it } from 'vitest';
import type { KeyId } from '../../../src/keys/key.ts';
import { startListener } from '../../http/listener.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { postern } from '../console.ts';

const noon = Date.UTC(2031, 1, 3, 12);
const hourMs = 3_600_000;

it('plots the last 24 hours, oldest first, with a line for each hour between, and a bar as long as there was use', async () => {
  const { run } = await withUse();
  const { exitCode, stderr, stdout } = await run(['usage']);
  expect([exitCode, stderr]).toEqual([0, '']);
  const lines = stdout.trimEnd().split('\n');
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['START', 'ALLOWED', 'DENIED'],
    ['2031-02-03T09:00:00Z', '30', 'rate_limited 10', '█'.repeat(30) + '░'.repeat(10)],
    ['2031-02-03T10:00:00Z', '0', '-'],
    ['2031-02-03T11:00:00Z', '0', '-'],
    ['2031-02-03T12:00:00Z', '20', '-', '█'.repeat(20)],
  ]);
});

it('shows groups in the order asked for, and what is to come by a token', async () => {
  const { run } = await withUse();
  const all = await run(['usage', '--group-by', 'owner', '--interval', 'all', '--order-by', 'denied']);
  expect(all.stdout.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['GROUP', 'ALLOWED', 'DENIED'],
    ['acme', '30', 'rate_limited 10', '█'.repeat(30) + '░'.repeat(10)],
    ['zeta', '20', '-', '█'.repeat(20)],
    [''],
  ]);
  const page = await run(['usage', '--group-by', 'owner', '--interval', 'all', '--page-size', '1', '--json']);
  const { data, next_page_token: token } = JSON.parse(page.stdout);
  expect(data).toEqual([
    { group: 'acme', start: null, allowed: 30, denied: { rate_limited: 10 }, observed: {} },
  ]);
  const next = await run([
    ...['usage', '--group-by', 'owner', '--interval', 'all', '--page-size', '1', '--json'],
    ...['--page-token', token],
  ]);
  expect(JSON.parse(next.stdout)).toMatchObject({ data: [{ group: 'zeta' }], next_page_token: null });
});

it('prints a month of owners as CSV, the same each time', async () => {
  const { run } = await withUse();
  const argv = [
    ...['usage', '--group-by', 'owner', '--interval', 'month', '--order-by', 'start', '--csv'],
    ...['--since', '2031-02-01T00:00:00Z', '--until', '2031-03-01T00:00:00Z'],
  ];
  const { exitCode, stdout } = await run(argv);
  expect(exitCode).toBe(0);
  expect(stdout.split('\r\n').map((line) => line.split(',').slice(0, 3))).toEqual([
    ['group', 'start', 'allowed'],
    ['acme', '2031-02-01T00:00:00Z', '30'],
    ['zeta', '2031-02-01T00:00:00Z', '20'],
    [''],
  ]);
  expect((await run(argv)).stdout).toBe(stdout);
});

it('says so where nothing was used, and names the flag that is bad', async () => {
  const { run } = await withUse();
  const none = await run(['usage', '--owner', 'nobody']);
  expect([none.exitCode, none.stdout, none.stderr]).toEqual([
    0,
    '',
    'postern: no key was used in this time\n',
  ]);
  const bad = await run(['usage', '--since', 'yesterday', '--csv']);
  expect([bad.exitCode, bad.stdout]).toEqual([1, '']);
  expect(bad.stderr).toContain('--since');
  expect((await run(['usage', '--interval', 'week'])).exitCode).toBe(2);
  expect((await run(['usage', '--csv', '--json'])).exitCode).toBe(2);
});

/** Two owners with use of this morning; it is noon. */
async function withUse() {
  const { service, create, base } = await startListener();
  service.clock.now = noon;
  const [acme, zeta] = await Promise.all(
    ['acme', 'zeta'].map(async (owner) => {
      const { id } = await create({ name: 'a', owner, scheme: 'postern' });
      return { id: id as KeyId, about: { owner, plan: null, scheme: 'postern', environment: 'live' } };
    }),
  );
  if (acme === undefined || zeta === undefined) throw new Error('no keys');
  await service.store.recordUsage([
    tally(acme, { hour: noon - 3 * hourMs, allowed: 30, denied: { rate_limited: 10 }, about: acme.about }),
    tally(zeta, { hour: noon, allowed: 20, about: zeta.about }),
  ]);
  const environment = {
    POSTERN_ADDRESS: base,
    POSTERN_ADMIN_KEY: service.adminAuthorization.replace('Bearer ', ''),
  };
  return { run: (argv: readonly string[]) => postern(argv, { environment }) };
}
