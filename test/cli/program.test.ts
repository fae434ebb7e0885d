import { expect, it } from 'vitest';
import { version } from '../../src/version.ts';
import { answering, postern } from './console.ts';

const environment = { POSTERN_ADMIN_KEY: 'a'.repeat(32) };
const key = {
  ...{
    id: 'key_a',
    name: 'a',
    prefix: 'p',
    permissions: [],
    created_at: 't',
    last_used_at: null,
    expires_at: null,
  },
  ...{
    scheme: 's',
    environment: 'live',
    owner: null,
    last4: 'l',
    ip_allowlist: [],
    plan: null,
    rate_limit: null,
  },
  ...{ labels: {}, state: 'active', updated_at: 't', revoked_at: null, rotated_from: null, etag: 'e' },
};

it('prints its version', async () => {
  expect(await postern(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

it.each([[[]], [['serve']], [['keys']], [['keys', 'create']], [['keys', 'verify']]])(
  'begins the help of %j with examples',
  async (command) => {
    const help = await postern([...command, '--help']);

    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    expect(help.stdout).toMatch(
      new RegExp(`^Examples:\n(?:  .+\n)+\nUsage: ${['postern', ...command].join(' ')}`),
    );
  },
);

it.each([
  ['nothing', [], /Usage: postern/],
  ['a wrong command', ['kyes'], /unknown command 'kyes'\n\(Did you mean keys\?\)/],
  ['a wrong command under keys', ['keys', 'lsit'], /\(Did you mean list\?\)\nSee: postern keys --help/],
  ['a wrong flag', ['keys', 'list', '--ownr', 'a'], /unknown option '--ownr'\n\(Did you mean --owner\?\)/],
  ['no name', ['keys', 'create'], /required option '--name <name>' not specified/],
  [
    'two ends',
    ['keys', 'create', '--name', 'a', '--expires-in', '1d', '--expires-at', 'b'],
    /cannot be used with/,
  ],
  ['a bad rate limit', ['keys', 'create', '--name', 'a', '--rate-limit', '100'], /LIMIT\/WINDOW/],
  ['a bad label', ['keys', 'create', '--name', 'a', '--label', 'b'], /NAME=VALUE/],
  [
    'a label twice',
    ['keys', 'create', '--name', 'a', '--label', 'b=c', '--label', 'b=d'],
    /b is given twice/,
  ],
  ['a bad state', ['keys', 'list', '--state', 'gone'], /active, disabled, revoked, expired/],
  ['a bad address', ['keys', 'list', '--address', 'ftp://a'], /not a plain http:\/\/ or https:\/\/ URL/],
  ['a password in the address', ['keys', 'list', '--address', 'http://a:b@c'], /not a plain http:\/\//],
  ['no id', ['keys', 'get'], /missing required argument 'id'/],
  ['a wrong setting', ['serve', '--http-listen', 'nowhere'], /^postern: --http-listen: .*expected host:port/],
])('ends with 2 and says what is wrong with a command line: %s', async (_, argv, message) => {
  const { fetch, asked } = answering(200, {});

  const refused = await postern(argv, { environment, fetch });

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toMatch(message);
  expect(asked).toEqual([]);
});

it('repeats no key that was given where it does not belong', async () => {
  const secret = 's3cr3t'.repeat(6);
  const { fetch, asked } = answering(200, {});

  for (const argv of [
    ['keys', 'list', `--admin-key=${secret}`],
    ['keys', 'list', '--admin-key', secret],
    ['keys', 'verify', secret],
    ['keys', 'revoke', secret],
    ['keys', 'list', '--address', `http://${secret}@localhost`],
  ]) {
    const refused = await postern(argv, { environment, fetch });
    expect([argv, refused.exitCode]).toEqual([argv, 2]);
    expect(refused.stderr).not.toContain('s3cr3t');
  }
  expect(asked).toEqual([]);
});

it.each([
  ['is missing', {}, 'there is no admin key to call with'],
  ['is set twice', { POSTERN_ADMIN_KEY: 'a', POSTERN_ADMIN_KEY_FILE: 'b' }, 'are both set'],
  ['has several lines', { POSTERN_ADMIN_KEY: 'a\nb' }, 'POSTERN_ADMIN_KEY holds more than one key'],
  ['is in a file that is not there', { POSTERN_ADMIN_KEY_FILE: 'b' }, 'b cannot be read: ENOENT'],
])('ends with 2 when the admin key %s', async (_, given, message) => {
  const refused = await postern(['keys', 'list'], { environment: given });

  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain(message);
});

it('refuses to read two keys from standard input', async () => {
  const refused = await postern(['keys', 'verify', '--admin-key-file', '-'], { stdin: 'a' });

  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain('both the key and the admin key');
});

it('ends with 2 when standard input is no key by its length', async () => {
  const refused = await postern(['keys', 'verify'], { environment, stdin: 'x'.repeat(100_000) });

  expect(refused).toMatchObject({ exitCode: 2, stderr: 'postern: standard input is too long for the key\n' });
});

it('ends with 4 and names the address and the setting when nobody answers', async () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const fetch = () => Promise.reject(new TypeError('fetch failed', { cause }));

  const refused = await postern(['keys', 'list'], { environment, fetch });

  expect(refused).toEqual({
    exitCode: 4,
    stdout: '',
    stderr:
      'postern: http://127.0.0.1:8080 cannot be reached: nobody listens there\n' +
      'No address was given; this is the default.\n' +
      'Start the service with "postern serve", or say where it listens by --address or POSTERN_ADDRESS.\n',
  });
});

it('calls the address that is set, with a path before its own', async () => {
  const { fetch, asked } = answering(200, { data: [], next_page_token: null });

  await postern(['keys', 'list'], {
    environment: { ...environment, POSTERN_ADDRESS: 'https://a.example/b/' },
    fetch,
  });
  await postern(['keys', 'list', '--address', 'localhost:1', '--owner', 'a&b'], { environment, fetch });

  expect(asked.map(({ url }) => url)).toEqual([
    'https://a.example/b/admin/api-keys',
    'http://localhost:1/admin/api-keys?owner=a%26b',
  ]);
  expect(asked[0]?.headers.get('authorization')).toBe(`Bearer ${environment.POSTERN_ADMIN_KEY}`);
});

it.each([
  ['HTML', 502, '<html>'],
  ['a redirect', 302, ''],
  ['other JSON', 200, { hello: 'world' }],
  ['an error of another shape', 404, { message: 'no route' }],
])('says that no Postern answers, when it gets %s', async (_, status, body) => {
  const refused = await postern(['keys', 'list'], { environment, ...answering(status, body) });

  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(
    new RegExp(`^postern: http://127.0.0.1:8080 answered ${status}, but not as Postern does\n`),
  );
});

it.each([
  ['PERMISSION_DENIED', 403, 'Call with an admin key that may do this.'],
  ['UNAVAILABLE', 503, 'See by "postern doctor" what is wrong, or try again in a moment.'],
  ['INTERNAL', 500, 'Look into the log of the service.'],
])('says what to do about %s', async (code, status, hint) => {
  const error = { code, message: 'So it is.', details: { reason: 'R' } };

  const refused = await postern(['keys', 'list'], { environment, ...answering(status, { error }) });

  expect(refused).toEqual({ exitCode: 1, stdout: '', stderr: `postern: So it is.\n${hint}\n` });
});

it('lets nothing from the service act on the terminal', async () => {
  const name = 'a\u001b[2J\u009b1m\u202eb\nc';
  const list = answering(200, {
    data: [{ ...key, name, owner: '\u001b]0;x\u0007' }],
    next_page_token: '\u001b[1m',
  });
  const error = { code: 'NOT_FOUND', message: name, details: { reason: 'R' } };

  const table = await postern(['keys', 'list'], { environment, ...list });
  const json = await postern(['keys', 'list', '--json'], { environment, ...list });
  const details = await postern(['keys', 'get', 'key_a'], {
    environment,
    ...answering(200, { data: { ...key, name } }),
  });
  const refused = await postern(['keys', 'get', 'key_a'], { environment, ...answering(404, { error }) });

  for (const { stdout, stderr } of [table, json, details, refused]) {
    expect(stdout + stderr).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  }
  expect(table.stdout).toContain('a\\u001b[2J\\u009b1m\\u202eb\\u000ac');
  expect(JSON.parse(json.stdout).data[0].name).toBe(name);
});

it('stops when the pages of a list go in circles', async () => {
  const refused = await postern(['keys', 'list', '--all'], {
    environment,
    ...answering(200, { data: [key], next_page_token: 'again' }),
  });

  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('goes in circles');
});
