import { expect, it } from 'vitest';
import { startListener } from '../../http/listener.ts';
import { postern } from '../console.ts';

async function startService() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const portal = (line: string) => postern(['portal', ...line.split(' ')], { environment });
  return { ...listener, portal };
}

it('prints the link of a portal session, and ends it', async () => {
  const { portal, base } = await startService();

  const made = await portal(
    'create --owner acme --permission keys:read --return-url https://portal.example.com/a',
  );
  expect(made).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/^ps_\S{22} lasts until \S+Z\n$/),
  });
  expect(made.stdout).toMatch(/^http:\S+\/console\/portal\/ps_\S+\n$/);
  expect(made.stdout.startsWith(base)).toBe(true);
  const json = await portal('create --owner acme --permission keys:write --expires-in 2h --json');
  expect(Object.keys(JSON.parse(json.stdout))).toEqual(['id', 'url', 'expires_at']);

  const id = made.stderr.split(' ')[0] ?? '';
  const ended = await portal(`end ${id}`);
  const again = await portal(`end ${id} --json`);
  expect(ended).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^ps_\S{22} ended at \S+Z\n$/) });
  expect(JSON.parse(again.stdout)).toMatchObject({ id, owner: 'acme', permissions: ['keys:read'] });
});

it('says what a portal session cannot be, field by field', async () => {
  const { portal } = await startService();
  const problems: [string, number, RegExp][] = [
    ['create --owner acme', 2, /--permission is missing/],
    ['create --permission keys:read', 1, /--owner: is required/],
    ['create --owner acme --permission admin:write', 1, /permissions\.0\): is not one of keys:read/],
    [
      'create --owner acme --permission keys:read --expires-in 25h',
      1,
      /--expires-in: must be a duration from 1s to 24h/,
    ],
    ['create --owner acme --permission keys:read --expires-in 999ms', 1, /--expires-in: /],
    [
      'create --owner acme --permission keys:read --return-url https://evil.example.com',
      1,
      /--return-url: has an origin/,
    ],
    [
      'create --owner acme --permission keys:read --return-url https://portal.example.com@evil.example',
      1,
      /--return-url: /,
    ],
    [
      'create --owner acme --permission keys:read --return-url https://u:p@portal.example.com/',
      1,
      /--return-url: /,
    ],
    ['create --owner acme --permission keys:read --return-url javascript:alert(1)', 1, /--return-url: /],
    [
      'create --owner acme --permission keys:read --return-url https://portal.example.com:444/',
      1,
      /--return-url: /,
    ],
    ['end key_1', 2, /begins with ps_/],
    ['end ps_AAAAAAAAAAAAAAAAAAAAAA', 1, /There is no portal session with this id/],
  ];
  for (const [line, exitCode, problem] of problems) {
    const ran = await portal(line);
    expect([line, ran.exitCode, ran.stderr]).toEqual([line, exitCode, expect.stringMatching(problem)]);
  }
});
