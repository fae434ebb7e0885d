import { describe, expect, it } from 'vitest';
import { version } from '../../src/version.ts';
import { startListener } from '../http/listener.ts';
import { answering, type Given, postern } from './console.ts';

const environment = { POSTERN_ADMIN_KEY: 'x'.repeat(32), POSTERN_ADDRESS: '127.0.0.1:1' };
const status = (given: Given, ...flags: string[]) => postern(['status', ...flags], { environment, ...given });
const well = {
  ...{ version, store: 'mongodb', store_reachable: true, peppers: [], findings: [], now: null },
  keys: { active: 12_345, disabled: 1, revoked: 2, expired: 0 },
  replicas: [
    { id: 'a', lag_ms: 812 },
    { id: 'b', lag_ms: 2_950 },
  ],
  uptime_s: 266_700,
};

describe('postern status', () => {
  it('says on one screen how the service stands', async () => {
    expect(await status(answering(200, { data: well }))).toEqual({
      exitCode: 0,
      stderr: '',
      stdout: [
        `version   ${version}`,
        'store     mongodb, reachable',
        'keys      12,345 active, 1 disabled, 2 revoked, 0 expired',
        'replicas  2 (a, b)',
        'lag       2950 ms at most',
        'uptime    3 d 2 h',
        '',
        'nothing is wrong',
        '',
      ].join('\n'),
    });
  });

  it('says the same as JSON, in these members', async () => {
    const { stdout } = await status(answering(200, { data: well }), '--json');

    expect(JSON.parse(stdout)).toEqual({
      version,
      store: { kind: 'mongodb', reachable: true },
      keys: well.keys,
      replicas: well.replicas,
      uptime_s: 266_700,
      findings: [],
    });
  });

  it('asks a running service', async () => {
    const { base, service } = await startListener();
    const POSTERN_ADMIN_KEY = service.adminAuthorization.replace('Bearer ', '');

    const done = await postern(['status', '--json'], {
      environment: { POSTERN_ADDRESS: base, POSTERN_ADMIN_KEY },
    });

    expect(JSON.parse(done.stdout)).toMatchObject({
      version,
      store: { kind: 'sqlite', reachable: true },
      keys: { active: 0, disabled: 0, revoked: 0, expired: 0 },
      replicas: [{ id: 'test-replica', lag_ms: 0 }],
      uptime_s: expect.any(Number),
      findings: expect.arrayContaining([expect.objectContaining({ code: 'store.memory' })]),
    });
  });

  it('ends with 1 and says what doctor would where something is wrong', async () => {
    const wrong = {
      level: 'warning',
      code: 'fleet.silent',
      where: 'replica a',
      what: 'It is silent.',
      cure: 'Look.',
    };
    const note = { ...wrong, level: 'info', code: 'store.kind' };
    const done = await status(answering(200, { data: { ...well, findings: [wrong, note] } }));

    expect(done.exitCode).toBe(1);
    expect(done.stdout).toMatch(
      /\n\nwarning: replica a: It is silent\. \[fleet\.silent\]\n {2}Look\.\n1 warning\n1 note: postern doctor\n$/,
    );
  });

  it('ends with 1 while the store is away, and says what is known', async () => {
    const away = { level: 'error', code: 'store.unreachable', where: null, what: 'It is away.', cure: '' };
    const data = { ...well, store_reachable: false, keys: null, findings: [away] };

    expect(await status(answering(200, { data }))).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/store {5}mongodb, not reachable\nkeys {6}not known\n/),
    });
    const { stdout } = await status(answering(200, { data }), '--json');
    expect(JSON.parse(stdout)).toMatchObject({ store: { reachable: false }, keys: null });
  });

  it('takes the answer of a service of an older version for what it says', async () => {
    const data = { version: '0.0.1', store: 'sqlite', peppers: [] };
    const done = await status(answering(200, { data }));

    expect(done.exitCode).toBe(1);
    expect(done.stdout).toMatch(/sqlite, reachable\nkeys {6}not known\nreplicas {2}not known/);
    expect(done.stdout).toContain('[version.other]');
  });

  it('ends with 4 where nobody answers, and with 1 where the service refuses', async () => {
    const away = () => Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }));

    expect(await status({ fetch: away })).toMatchObject({ exitCode: 4, stdout: '' });
    const error = { code: 'PERMISSION_DENIED', message: 'no', details: {} };
    expect(await status(answering(403, { error }))).toMatchObject({ exitCode: 1, stdout: '' });
  });
});
