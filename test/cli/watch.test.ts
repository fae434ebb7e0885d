import { expect, it } from 'vitest';
import { startListener } from '../http/listener.ts';
import { until } from '../real/until.ts';
import { type Given, postern } from './console.ts';

const environment = { POSTERN_ADMIN_KEY: 'x'.repeat(40) };

it('prints a line for each event of a running service, and goes on after one', async () => {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const given = { environment: { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey } };
  const { id } = await listener.create({ name: 'a "key"', owner: 'acme' });
  const stop = new AbortController();
  const out = { text: '' };
  const running = postern(['watch', '--after', 'evt_0000000000000000'], { ...given, stop: stop.signal, out });
  await until('the first event', () => out.text.includes('\n'));
  await listener.call('DELETE', `/admin/api-keys/${id}`);
  await until('the second', () => out.text.split('\n').length === 3);
  stop.abort();

  const { exitCode, stdout } = await running;
  expect(exitCode).toBe(0);
  const [made = '', revoked] = stdout.split('\n');
  const time = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z';
  const rest = `${id}  "a \\\\"key\\\\""  owner acme  by POSTERN_ADMIN_KEY`;
  expect(made).toMatch(new RegExp(`^${time}  key.created  ${rest}$`));
  expect(revoked).toContain('  key.revoked  ');
});

it('reconnects with the last id after the connection ends, however it does, and after the time that it is told', async () => {
  const clock = { now: 0, waited: [] as number[] };
  const asked: Request[] = [];
  const answers = [
    () => sse(`retry: 200\n\nid: evt_1\n\n${block('evt_2', 'key.created')}`),
    () => sse(`${block('evt_3', 'key.revoked')}id: evt_9\ndata: {"cut`),
    () => Promise.reject(new TypeError('fetch failed')),
    () => new Response('bad gateway', { status: 502 }),
    () => refused(503, 'UNAVAILABLE'),
    () => refused(401, 'UNAUTHENTICATED'),
  ];
  const fetch = async (...args: ConstructorParameters<typeof Request>) => {
    asked.push(new Request(...args));
    return (answers.shift() ?? (() => refused(500, 'INTERNAL')))();
  };
  const watched = await postern(['watch', '--types', 'key.created,key.revoked', '--json'], {
    ...{ environment, fetch, clock },
  });

  expect(asked[0]?.url).toBe('http://127.0.0.1:8080/admin/events?types=key.created%2Ckey.revoked');
  expect(asked.map(({ headers }) => headers.get('last-event-id'))).toEqual([
    ...[null, 'evt_2', 'evt_3', 'evt_3', 'evt_3', 'evt_3'],
  ]);
  expect(
    watched.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line).id),
  ).toEqual(['evt_2', 'evt_3']);
  expect(clock.waited).toEqual([200, 200, 400, 500, 300, 500, 500, 500, 100]);
  expect(watched.exitCode).toBe(1);
  expect(watched.stderr).toContain('is not accepted');
});

it('ends at once where it never began', async () => {
  const away = async () => Promise.reject(new TypeError('fetch failed'));
  expect((await postern(['watch'], { environment, fetch: away })).exitCode).toBe(4);
  const other = async () => new Response('<html>', { status: 502 });
  expect((await postern(['watch'], { environment, fetch: other })).exitCode).toBe(1);
});

it('lets nothing in an event act on the terminal', async () => {
  const odd = {
    ...event('evt_1', 'key.created'),
    target: 'a\u001b[2Jb',
    details: { after: { name: '\u202e' } },
  };
  const answers = [
    () => sse(`id: evt_1\ndata: ${JSON.stringify(odd)}\n\n`),
    () => refused(401, 'UNAUTHENTICATED'),
  ];
  const fetch = async () => (answers.shift() ?? (() => refused(500, 'INTERNAL')))();
  const { stdout } = await postern(['watch'], { environment, fetch });
  for (const character of ['\u001b', '\u202e']) expect(stdout).not.toContain(character);
  expect(stdout).toContain('[2Jb');
});

it('reports leaked keys from standard input or a file, one a line, and says nothing of which were keys', async () => {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const surroundings = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const keys = (line: string, given: Given) =>
    postern(['keys', 'report-leaked', ...line.split(' ').filter(Boolean)], {
      environment: surroundings,
      ...given,
    });
  const [one, two] = [await listener.create(), await listener.create()];

  const piped = await keys('', { stdin: `\n${one.key}\r\nnothing\n` });
  const filed = await keys('--file found --url https://a.example --source me --json', {
    files: { found: two.key },
  });

  expect(piped).toMatchObject({ exitCode: 0, stderr: '' });
  expect(piped.stdout).toMatch(/^2 reported: no replica allows any of them that was a key since \d{4}-/);
  expect(JSON.parse(filed.stdout)).toMatchObject({ received: 1, unconfirmed_replicas: [] });
  for (const { id } of [one, two]) {
    expect((await listener.call('GET', `/admin/api-keys/${id}`)).json.data.state).toBe('revoked');
  }
  expect((await keys('', { stdin: '\n\n' })).exitCode).toBe(2);
  expect((await keys('--file gone', {})).exitCode).toBe(2);
  expect((await keys('--admin-key-file -', {})).exitCode).toBe(2);
  const flag = await keys(`--key=${one.key}`, {});
  expect([flag.exitCode, flag.stderr.includes(one.key)]).toEqual([2, false]);
});

function event(id: string, type: string) {
  return { id, type, at: '2030-01-01T00:00:00.000Z', target: null, owner: null, actor: null, details: {} };
}

function block(id: string, type: string): string {
  return `: a comment\nid: ${id}\nevent: ${type}\ndata: ${JSON.stringify(event(id, type))}\n\n`;
}

/** A stream in pieces that fall anywhere. */
function sse(text: string): Response {
  const bytes = Buffer.from(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, at) =>
    bytes.subarray(at * 7, at * 7 + 7),
  );
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

function refused(status: number, code: string): Response {
  return Response.json({ error: { code, message: 'no', details: { reason: code } } }, { status });
}
