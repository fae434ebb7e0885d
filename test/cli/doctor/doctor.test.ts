import { describe, expect, it } from 'vitest';
import { version } from '../../../src/version.ts';
import { startListener } from '../../http/listener.ts';
import { answering, type Given, postern } from '../console.ts';

const environment = { POSTERN_ADMIN_KEY: 'x'.repeat(32), POSTERN_ADDRESS: '127.0.0.1:1' };
const doctor = (given: Given, ...flags: string[]) => postern(['doctor', ...flags], { environment, ...given });
const peppers = (...uses: [id: string, keys: number, configured: boolean, signing: boolean][]) =>
  uses.map(([id, keys, configured, signing]) => ({ id, keys, configured, signing }));
const answered = (more: object) =>
  answering(200, { data: { version, store: 'sqlite', peppers: [], ...more } });

describe('doctor', () => {
  it('finds nothing wrong with a service that is well', async () => {
    const { base, service } = await startListener();
    // A clock that stands still is behind by as long as the command takes to load.
    Object.defineProperty(service.clock, 'now', { get: Date.now });
    const POSTERN_ADMIN_KEY = service.adminAuthorization.replace('Bearer ', '');
    const done = await postern(['doctor'], { environment: { POSTERN_ADDRESS: base, POSTERN_ADMIN_KEY } });
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    expect(done.stdout.match(/^\w+(?=: )|^nothing.*/gm)).toEqual(['info', 'info', 'nothing is wrong']);
    expect(done.stdout).toMatch(/It is in memory: .* \[store\.memory\]\n {2}Name a file/);
  });

  it('finds keys under a pepper that is not configured', async () => {
    const given = answered({
      peppers: peppers(['new', 5, true, true], ['', 0, true, false], ['lost', 1, false, false]),
    });
    expect(await doctor(given)).toEqual({
      exitCode: 1,
      stdout:
        'error: 1 key is under the pepper lost, which is not configured: no Check recognises them. [pepper.unknown]\n' +
        '  Put lost back into POSTERN_PEPPERS, behind the one that signs, until doctor counts none under it.\n' +
        '1 error\n',
      stderr: '',
    });
    expect(given.asked[0]?.url).toBe('http://127.0.0.1:1/admin/diagnostics');
  });

  it('tells what is left on older peppers and on none, and what may be dropped, without calling it wrong', async () => {
    const uses = peppers(
      ['new', 5, true, true],
      ['old', 1_234, true, false],
      ['older', 0, true, false],
      ['', 2, true, false],
    );
    const { exitCode, stdout } = await doctor(answered({ peppers: uses }));
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('info'))).toEqual([
      'info: 1,234 keys are under the older pepper old. [pepper.older]',
      'info: No key is left under the older pepper older. [pepper.unused]',
      'info: 2 keys are under no pepper. [pepper.none]',
    ]);
  });

  it('finds a service of another version', async () => {
    const { exitCode, stdout } = await doctor(answered({ version: '0.0.1\u001b[2J' }), '--json');
    expect(exitCode).toBe(1);
    expect(stdout).not.toContain('\u001b');
    expect(JSON.parse(stdout).findings).toMatchObject([
      { level: 'warning', what: expect.stringContaining('0.0.1') },
    ]);
  });

  it.each([
    [-500, []],
    [500, []],
    [2_000, ['warning ahead of']],
    [-2_000, ['warning behind']],
    [-86_400_000, ['error behind']],
  ])('judges a clock of the service that is %d ms off this machine', async (skewMs, finds) => {
    const now = new Date(Date.now() + skewMs).toISOString();
    const { exitCode, stdout } = await doctor(answered({ now }), '--json');
    const found = JSON.parse(stdout).findings as { level: string; code: string; what: string }[];
    expect(found.map(({ level, what }) => `${level} ${/ahead of|behind/.exec(what)?.[0]}`)).toEqual(finds);
    for (const { code } of found) expect(code).toBe('clock.service');
    expect(exitCode).toBe(finds.length);
  });

  it('tells what the service found, on lines of their own, with nothing that moves a cursor', async () => {
    const found = {
      level: 'warning',
      code: 'fleet.silent',
      where: 'replica \u001b[2J',
      what: 'It is silent.',
      cure: 'a\nb',
    };
    const { exitCode, stdout } = await doctor(answered({ findings: [found] }));
    expect({ exitCode, stdout }).toEqual({
      exitCode: 1,
      stdout: 'warning: replica \\u001b[2J: It is silent. [fleet.silent]\n  a\n  b\n1 warning\n',
    });
  });

  it('looks at the files and the Envoy even where it could not ask the service', async () => {
    const files = { 'dump.json': '{}' };
    const given = { environment: { POSTERN_CHECK_LISTEN: '0.0.0.0:1' }, files };
    const { exitCode, stdout } = await doctor(given, '--envoy', 'dump.json', '--json');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout).findings.map(({ code }: { code: string }) => code)).toEqual([
      'service.not_asked',
      'listen.cleartext',
      'envoy.unreadable',
    ]);
  });

  it('says why it could not ask, and what to do', async () => {
    const refused = async () => {
      throw new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
    };
    const away = await doctor({ fetch: refused });
    expect(away).toMatchObject({ exitCode: 2, stderr: '' });
    expect(away.stdout).toMatch(
      /^error: http:\/\/127.0.0.1:1 cannot be reached: nobody listens there \[service\.not_asked\]\n {2}The address is from POSTERN_ADDRESS\.\n {2}Start/,
    );
    const denied = answering(403, {
      error: { code: 'PERMISSION_DENIED', message: 'The admin key lacks admin:read.' },
    });
    expect(await doctor(denied)).toMatchObject({
      exitCode: 2,
      stdout:
        'error: The admin key lacks admin:read. [service.not_asked]\n' +
        '  Call with an admin key that may do this.\n1 error\n',
    });
    expect(await doctor({ environment: {} })).toMatchObject({ exitCode: 2 });
  });
});
