import { expect, it } from 'vitest';
import { startListener } from '../../http/listener.ts';
import { tally } from '../../store-contract/use/usage.ts';
import { postern } from '../console.ts';

const noon = Date.UTC(2031, 1, 3, 12);

async function startService() {
  const listener = await startListener();
  listener.service.clock.now = noon;
  const { id } = await listener.create();
  const environment = {
    POSTERN_ADDRESS: listener.base,
    POSTERN_ADMIN_KEY: listener.service.adminAuthorization.replace('Bearer ', ''),
  };
  const usage = (line: string) => postern(['keys', 'usage', ...line.split(' ')], { environment });
  return { ...listener, id: id as Parameters<typeof tally>[0]['id'], usage };
}

it('shows the use of a key, a line an hour, with when and from where it was used last', async () => {
  const { service, id, usage } = await startService();
  await service.store.recordUsage([
    tally({ id }, { hour: noon - 3_600_000, allowed: 12, lastUsedAt: noon - 1, addresses: ['192.0.2.1'] }),
    tally({ id }, { hour: noon, denied: { expired: 1, rate_limited: 20 }, addresses: ['2001:db8::1'] }),
  ]);

  const shown = await usage(id);
  const json = await usage(`${id} --since 2031-02-03T12:30:00Z --json`);

  expect(shown).toEqual({
    exitCode: 0,
    stderr: '',
    stdout: [
      'HOUR                  ALLOWED  DENIED',
      '2031-02-03T11:00:00Z  12       -',
      '2031-02-03T12:00:00Z  0        expired 1, rate_limited 20',
      '',
      'last used: 2031-02-03T11:59:59Z',
      'addresses: 2001:db8::1, 192.0.2.1',
      '',
    ].join('\n'),
  });
  expect(JSON.parse(json.stdout)).toEqual({
    buckets: [
      { start: '2031-02-03T12:00:00Z', allowed: 0, denied: { expired: 1, rate_limited: 20 }, observed: {} },
    ],
    last_used_at: '2031-02-03T11:59:59Z',
    addresses: ['2001:db8::1'],
  });
});

it('says of a key that was never used that it was not', async () => {
  const { id, usage } = await startService();
  expect(await usage(id)).toMatchObject({ exitCode: 0, stdout: 'last used: never\naddresses: -\n' });
});

it('says what is wrong with a time, and with what is no id', async () => {
  const { id, usage } = await startService();
  expect(await usage(`${id} --since yesterday`)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('--since: is not an RFC 3339 time'),
  });
  expect(await usage('rubbish')).toMatchObject({ exitCode: 2, stdout: '' });
});
