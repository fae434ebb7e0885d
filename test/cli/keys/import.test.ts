import { describe, expect, it } from 'vitest';
import { createDigester } from '../../../src/keys/secret.ts';
import { mintSecret } from '../../../src/schemes/scheme.ts';
import { startListener } from '../../http/listener.ts';
import { type Given, postern } from '../console.ts';

/** A running service, and the command line set up for it. */
async function start() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const importing = (line: string, given: Given = {}) =>
    postern(['import', ...line.split(' ')], { environment, ...given });
  const keys = async () => (await listener.call('GET', '/admin/api-keys?page_size=1000')).json.data;
  const secret = (name = 'postern', prefix = 'live') => {
    const scheme = listener.service.schemes.find((known) => known.name === name);
    return (scheme && mintSecret(scheme, prefix)?.secret.reveal()) ?? '';
  };
  return { ...listener, environment, importing, keys, secret };
}

/** A fetch that fails so often before it lets calls through. */
function failing(times: number, fail: () => Response): { fetch: typeof fetch; calls: () => number } {
  let calls = 0;
  return {
    calls: () => calls,
    fetch: async (...args) => (++calls <= times ? fail() : fetch(...args)),
  };
}

const unavailable = () =>
  new Response(JSON.stringify({ error: { code: 'UNAVAILABLE', message: 'The store cannot be reached.' } }), {
    status: 503,
  });

describe('a CSV file', () => {
  it('is imported by the names of its columns', async () => {
    const { importing, keys, secret } = await start();
    const [one, digest] = [secret('powerverse', 'test'), createDigester([]).sign('x')];
    const csv = [
      '\ufeffSecret , name,scheme,owner,permissions,ip_allowlist,expires_at,plan,rate_limit,labels,disabled,sha256,prefix,last4',
      `${one},"One, ""quoted""\ta",powerverse,acme,"a, b c",10.0.0.0/8 ::1,2099-01-01T00:00:00Z,pro,100/60s,"team=grid;x=y=z",no,,,`,
      `${one},"One, ""quoted""",powerverse,acme,"a, b c",10.0.0.0/8 ::1,2099-01-01T00:00:00Z,pro,100/60s,"team=grid;x=y=z",no,,,`,
      '',
      `,Two,,,,,,,,"{""a"":""b;c""}",TRUE,${digest},pst_live_ab,wxyz`,
    ].join('\r\n');
    const done = await importing('keys.csv', { files: { 'keys.csv': csv } });
    expect(done).toEqual({
      exitCode: 1,
      stdout: 'imported 2, duplicates 0, failed 1 of 3 rows in 0 s\n',
      stderr: 'line 2: name: holds control characters\n',
    });
    expect(await keys()).toMatchObject([
      { name: 'Two', labels: { a: 'b;c' }, state: 'disabled', prefix: 'pst_live_ab', last4: 'wxyz' },
      {
        ...{ name: 'One, "quoted"', scheme: 'powerverse', environment: 'test', owner: 'acme', plan: 'pro' },
        ...{ permissions: ['a', 'b', 'c'], ip_allowlist: ['10.0.0.0/8', '::1'], state: 'active' },
        ...{ rate_limit: { limit: 100, window: '60s' }, labels: { team: 'grid', x: 'y=z' } },
        expires_at: '2099-01-01T00:00:00Z',
      },
    ]);
  });

  it('is refused as a whole, without a word of it, where its first line names no columns', async () => {
    const { importing, secret, keys } = await start();
    const one = secret();
    for (const [csv, what] of [
      [`${one}\n`, 'column 1 of the first line is none that is known'],
      [`name,${one}\n`, 'column 2 of the first line is none that is known'],
      ['secret,name,Secret\n', 'column 3 of the first line is there twice'],
      [`name,owner\n${one},x\n`, 'the first line names neither a column secret nor a column sha256'],
      [`secret;name\n${one};x\n`, 'column 1 of the first line is none that is known'],
      ['constructor\n', 'column 1 of the first line is none that is known'],
    ] as const) {
      const done = await importing('keys.csv', { files: { 'keys.csv': csv } });
      expect([done.exitCode, done.stdout]).toEqual([2, '']);
      expect(done.stderr.split('\n')[0]).toBe(`postern: ${what}`);
      expect(done.stderr).not.toContain(one);
    }
    expect(await keys()).toEqual([]);
  });

  it('tells each row that fails by its line, and imports the rest', async () => {
    const { importing, secret, keys } = await start();
    const good = () => `${secret()},good,,,`;
    const csv = [
      'secret,name,rate_limit,disabled,labels',
      good(),
      'a,b,c',
      `${secret()},"open`,
      good(),
      `${secret()},"closed"here,,,`,
      `"${secret()}","two`,
      `lines",,,`,
      `${secret()},limit,100 per minute,,`,
      `${secret()},flag,,perhaps,`,
      `${secret()},labels,,,nonsense`,
      `${secret()},labels,,,{nonsense`,
      `${secret()},${'x'.repeat(70_000)},,,`,
      good(),
      `${secret()},"open`,
      good(),
    ].join('\n');
    const done = await importing('keys.csv', { files: { 'keys.csv': csv } });
    const lines = done.stderr.trim().split('\n');
    expect(lines.map((line) => line.split(':')[0])).toEqual(
      [3, 4, 6, 7, 9, 10, 11, 12, 13, 15].map((line) => `line ${line}`),
    );
    expect(lines).toMatchObject([
      'line 3: has 3 cells where the first line has 5',
      'line 4: has text behind a closing quote',
      'line 6: has text behind a closing quote',
      'line 7: name: holds control characters',
      'line 9: rate_limit: write it as LIMIT/WINDOW, such as 100/60s',
      'line 10: disabled: is neither true nor false',
      'line 11: labels: write them as name=value;name=value, or as a JSON object',
      'line 12: labels: cannot be read as JSON',
      'line 13: is too long',
      'line 15: has a quote that is not closed',
    ]);
    expect(done.stdout).toBe('imported 4, duplicates 0, failed 10 of 14 rows in 0 s\n');
    expect(await keys()).toHaveLength(4);
  });

  it('may come through standard input', async () => {
    const { importing, secret, keys } = await start();
    const done = await importing('- --format csv', { stdin: `secret,name\n${secret()},a\n` });
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await keys()).toHaveLength(1);
  });
});

it('imports JSON lines as ImportKeys takes them', async () => {
  const { importing, secret, keys } = await start();
  const lines = [
    JSON.stringify({ secret: secret(), name: 'a', permissions: ['x'], labels: { a: 'b' } }),
    '',
    '{"name":',
    '[]',
    JSON.stringify({ name: 'none', unknown: 1 }),
    `{"secret":"${secret()}","name":"b","__proto__":{}}`,
    JSON.stringify({ secret: secret(), name: 'c' }),
  ];
  const done = await importing('keys.ndjson', { files: { 'keys.ndjson': lines.join('\n') } });
  expect(done.stderr.split('\n')).toEqual([
    'line 3: cannot be read as JSON',
    'line 4: is not a JSON object',
    'line 5: unknown: unknown field',
    'line 6: __proto__: unknown field',
    '',
  ]);
  expect(await keys()).toMatchObject([{ name: 'c' }, { name: 'a', permissions: ['x'] }]);
});

it('gives keys that name none the scheme, owner and name of the flags', async () => {
  const { importing, secret, keys } = await start();
  const csv = `secret,owner,scheme\n${secret('mira')},,\n${secret()},other,postern\n`;
  const flags = 'keys.csv --scheme mira --owner acme --name imported';
  expect(await importing(flags, { files: { 'keys.csv': csv } })).toMatchObject({ exitCode: 0 });
  expect(await keys()).toMatchObject([
    { name: 'imported', scheme: 'postern', owner: 'other' },
    { name: 'imported', scheme: 'mira', owner: 'acme' },
  ]);
});

it('counts duplicates and ends well, so that it can be run again', async () => {
  const { importing, secret } = await start();
  const files = { 'keys.csv': `secret,name\n${secret()},a\n${secret()},b\n` };
  expect((await importing('keys.csv --dry-run', { files })).stdout).toMatch(/^would import 2, duplicates 0/);
  expect((await importing('keys.csv', { files })).stdout).toMatch(/^imported 2, duplicates 0/);
  const again = await importing('keys.csv --json', { files });
  expect(again.exitCode).toBe(0);
  expect(JSON.parse(again.stdout)).toEqual({
    rows: 2,
    imported: 0,
    duplicates: 2,
    failed: 0,
    dry_run: false,
  });
});

it('writes failures and duplicates into a file, with nothing of the rows', async () => {
  const { importing, secret } = await start();
  const one = secret();
  const files: Record<string, string> = {
    'keys.csv': `secret,name\n${one},a\n${one},b\n${one}x,c\n`,
    'failures.csv': 'what was there before',
  };
  await importing('keys.csv --failures failures.csv', { files });
  expect(files['failures.csv']).toBe(
    [
      'place,outcome,field,description',
      'line 3,duplicate,,is there already',
      'line 4,failed,secret,has not the form of the scheme postern: no Check would ever accept it',
      '',
    ].join('\r\n'),
  );
});

describe('with a state', () => {
  it('goes on where it stopped, and keeps count', async () => {
    const { importing, secret, keys } = await start();
    const rows = Array.from({ length: 7 }, (_, place) => `${place === 4 ? 'bad' : secret()},key ${place}`);
    const files: Record<string, string> = { 'keys.csv': ['secret,name', ...rows].join('\n') };
    const line = 'keys.csv --batch 2 --state keys.state --failures failures.csv';
    let calls = 0;
    const cutOff: typeof fetch = async (...args) => {
      calls++;
      if (calls > 2)
        return new Response('{"error":{"code":"PERMISSION_DENIED","message":"No."}}', { status: 403 });
      return fetch(...args);
    };
    const stopped = await importing(line, { files, fetch: cutOff });
    expect(stopped.exitCode).toBe(1);
    expect(stopped.stderr).toContain('Run it again with the same --state: it goes on where it stopped.');
    expect(await keys()).toHaveLength(4);
    // A run that was killed may have written more than its state says.
    files['failures.csv'] += 'half a li';

    const ended = await importing(line, { files });
    expect(ended).toMatchObject({
      exitCode: 1,
      stdout: 'imported 6, duplicates 0, failed 1 of 7 rows in 0 s\n',
    });
    expect(ended.stderr).toMatch(
      /^postern: 4 rows are done by an earlier run; going on there\nline 6: secret/,
    );
    expect(files['failures.csv']?.match(/\r\n/g)).toHaveLength(2);
    expect(await keys()).toHaveLength(6);
    expect(JSON.stringify(files['keys.state'])).not.toContain('pst_live');

    const again = await importing(line, { files });
    expect(again.stdout).toBe(ended.stdout);
  });

  it('refuses the state of another file, of other flags, and what is none', async () => {
    const { importing, secret } = await start();
    const files: Record<string, string> = { 'keys.csv': `secret,name\n${secret()},a\n` };
    await importing('keys.csv --state s', { files });
    const state = files.s ?? '';
    for (const [line, given] of [
      ['keys.csv --state s --owner acme', {}],
      ['keys.csv --state s', { 'keys.csv': `${files['keys.csv']}${secret()},b\n` }],
      ['keys.csv --state s', { s: 'nonsense' }],
      ['keys.csv --state s', { s: '{}' }],
      ['keys.csv --state s --dry-run', {}],
      ['- --state s --format csv', {}],
    ] as const) {
      const done = await importing(line, { files: { ...files, s: state, ...given } });
      expect([line, done.exitCode, done.stdout]).toEqual([line, 2, '']);
    }
  });
});

describe('while the service is away', () => {
  it('tries again, less and less often, until it is back', async () => {
    const { importing, secret, keys } = await start();
    const files = { 'keys.csv': `secret,name\n${secret()},a\n` };
    const clock = { now: 0, waited: [] };
    const refused = () => {
      throw new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } });
    };
    const first = failing(3, unavailable);
    const done = await importing('keys.csv', { files, fetch: first.fetch, clock });
    expect(done).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('imported 1,') });
    expect(clock.waited).toEqual([250, 500, 1_000]);
    expect(done.stderr).toContain('postern: The store cannot be reached.; trying again in 1 s\n');
    const second = failing(1, refused);
    expect(await importing('keys.csv', { files, fetch: second.fetch })).toMatchObject({ exitCode: 0 });
    expect(await keys()).toHaveLength(1);
  });

  it('gives up after some minutes, and says how to go on', async () => {
    const { importing, secret } = await start();
    const files = { 'keys.csv': `secret,name\n${secret()},a\n` };
    const clock = { now: 0, waited: [] };
    const { fetch, calls } = failing(1_000, unavailable);
    const done = await importing('keys.csv', { files, fetch, clock });
    expect(done.exitCode).toBe(1);
    expect(done.stderr).toMatch(/Run it again: what is in by now is then counted as duplicates\.\n$/);
    expect(calls()).toBe(16);
    expect(clock.now).toBeGreaterThan(120_000);
    expect(clock.now).toBeLessThan(200_000);
  });

  it('does not try again what was refused', async () => {
    const { importing, secret, environment } = await start();
    const files = { 'keys.csv': `secret,name\n${secret()},a\n` };
    const clock = { now: 0, waited: [] };
    const wrong = { ...environment, POSTERN_ADMIN_KEY: 'x'.repeat(40) };
    const done = await importing('keys.csv', { files, clock, environment: wrong });
    expect([done.exitCode, clock.waited]).toEqual([1, []]);
  });
});

it('draws how far it has come on a terminal, and nowhere else', async () => {
  const { importing, secret } = await start();
  const csv = `secret,name\n${Array.from({ length: 6 }, () => `${secret()},a\n`).join('')}`;
  const given = { files: { 'keys.csv': csv } };
  expect((await importing('keys.csv --batch 2 --dry-run', given)).stderr).toBe('');
  const { stderr } = await importing('keys.csv --batch 2', { ...given, isTerminal: true });
  expect(stderr).toMatch(/\r100 % \[#{24}\] 6 rows, /);
  expect(stderr.split('\r').at(-1)).toBe('');
});

it('prints no secret, whatever it is asked', async () => {
  const { importing, secret } = await start();
  const secrets = [secret(), secret(), secret()];
  const csv = `secret,name\n${secrets[0]},a\n${secrets[1]}x,a\n${secrets[2]},\n"${secrets[2]}\n`;
  for (const isTerminal of [true, false]) {
    const files: Record<string, string> = { 'keys.csv': csv };
    const done = await importing('keys.csv --state s --failures f', { files, isTerminal });
    const said = done.stdout + done.stderr + files.s + files.f;
    for (const one of secrets) expect(said).not.toContain(one.slice(9, 30));
  }
});

it('says what it cannot do with a file', async () => {
  const { importing } = await start();
  for (const [line, what, files] of [
    ['nothing.csv', 'nothing.csv cannot be read: ENOENT', {}],
    ['keys.txt', 'it is not clear what kind of file this is', { 'keys.txt': 'x' }],
    ['-', 'it is not clear what kind of file this is', {}],
    ['keys.json', 'it is not clear what kind of file this is', { 'keys.json': '{"a":1}' }],
    ['keys.json', 'the file cannot be read as JSON', { 'keys.json': '{"a":' }],
    ['keys.yaml', 'the file cannot be read as YAML: see line 2', { 'keys.yaml': 'a: 1\nb: }\n' }],
    ['keys.csv --batch 0', "option '--batch <rows>' argument '0' is invalid", { 'keys.csv': '' }],
    ['keys.csv --format xls', "option '--format <format>' argument 'xls' is invalid", { 'keys.csv': '' }],
  ] as const) {
    const done = await importing(line, { files: { ...files } });
    expect([line, done.exitCode]).toEqual([line, 2]);
    expect(done.stderr).toContain(what);
  }
});

it('imports nothing from an empty file', async () => {
  const { importing } = await start();
  for (const [name, text] of [
    ['a.csv', ''],
    ['a.csv', 'secret,name\n'],
    ['a.jsonl', '\n\n'],
  ] as const) {
    const done = await importing(name, { files: { [name]: text } });
    expect(done).toEqual({
      exitCode: 0,
      stdout: 'imported 0, duplicates 0, failed 0 of 0 rows in 0 s\n',
      stderr: '',
    });
  }
});
