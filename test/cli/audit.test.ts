import { expect, it } from 'vitest';
import type { JournalDraft } from '../../src/journal/journal.ts';
import { startListener } from '../http/listener.ts';
import { answering, type Given, postern } from './console.ts';

async function startService() {
  const listener = await startListener();
  const adminKey = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY: adminKey };
  const audit = (argv: readonly string[], given: Given = {}) =>
    postern(['audit', ...argv], { environment, ...given });
  return { ...listener, environment, audit };
}

/** A service with so many keys, and so many events, and an export of them. */
async function startWithEvents(count: number) {
  const started = await startService();
  for (let made = 0; made < count; made++) await started.create({ name: `key ${made}` });
  const { stdout } = await started.audit(['export']);
  const lines = stdout.trimEnd().split('\n');
  const verify = (changed: readonly string[], argv: readonly string[] = []) =>
    postern(['audit', 'verify', 'log', ...argv], { files: { log: `${changed.join('\n')}\n` } });
  return { ...started, lines, verify };
}

function anchorOf(line: string | undefined): string {
  const { id, hash } = JSON.parse(line ?? '');
  return `${id}:${hash}`;
}

it('lists events in columns, and hands every filter to the service', async () => {
  const { audit, create, call } = await startService();
  const { id } = await create({ name: 'a', owner: 'acme' });
  await call('POST', `/admin/api-keys/${id}/disable`);
  await call('DELETE', '/admin/api-keys/key_00000000000000000000000000');

  const all = await audit(['list']);
  const filters = `--owner acme --target ${id} --action DisableKey --outcome ok --actor POSTERN_ADMIN_KEY`;
  const times = '--since 2000-01-01T00:00:00Z --until 2200-01-01T00:00:00Z --notices --order oldest';
  const one = await audit(['list', ...filters.split(' '), ...times.split(' '), '--json']);
  const none = await audit(['list', '--actor', 'nobody']);

  const lines = all.stdout.trimEnd().split('\n');
  expect(lines[0]?.split(/ {2,}/)).toEqual(['ID', 'AT', 'ACTION', 'TARGET', 'OUTCOME', 'ACTOR', 'ADDRESS']);
  expect(lines.slice(1).map((line) => line.split(/ {2,}/).slice(2, 5))).toEqual([
    ['RevokeKey', 'key_00000000000000000000000000', 'NOT_FOUND'],
    ['DisableKey', `${id} (a)`, 'ok'],
    ['CreateKey', `${id} (a)`, 'ok'],
  ]);
  expect(JSON.parse(one.stdout).data).toMatchObject([{ action: 'DisableKey', target: id, owner: 'acme' }]);
  expect(none).toMatchObject({ exitCode: 0, stderr: 'postern: there is no such event\n' });
});

it('lists one history of a key over its rotations', async () => {
  const { audit, create, call } = await startService();
  const { id } = await create({ name: 'a' });
  await call('POST', `/admin/api-keys/${id}/rotate`, { grace_period: '1h' });
  await call('POST', `/admin/api-keys/${id}/disable`);
  const { data } = (await call('GET', '/admin/api-keys')).json;
  const [successor] = data;

  const whole = await audit(['list', '--target', successor.id, '--history', '--order', 'oldest', '--json']);
  const alone = await audit(['list', '--history']);

  const actions = JSON.parse(whole.stdout).data.map(({ action }: { action: string }) => action);
  expect(actions).toEqual(['CreateKey', 'RotateKey', 'DisableKey']);
  expect(alone).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('goes with target') });
});

it('exports every event, the oldest first, as lines whose hashes can be verified', async () => {
  const { lines, verify, audit } = await startWithEvents(3);
  await audit(['list', '--until', 'tomorrow']);

  expect(lines.map((line) => JSON.parse(line).id.slice(-3))).toEqual(['001', '002', '003']);
  const whole = await verify(lines);
  expect(whole).toMatchObject({ exitCode: 0, stderr: '' });
  expect(whole.stdout).toMatch(/^whole: 3 events, evt_0{15}1 to evt_0{15}3, /);
  expect(whole.stdout).toContain(`\nanchor: ${anchorOf(lines[2])}\n`);
});

it('follows the pages of a long journal, and lets nothing in it act on the terminal', async () => {
  const { audit, service, environment } = await startService();
  const { store } = service;
  const draft: JournalDraft = {
    ...{ kind: 'call', actor: 'a', action: 'X', target: null, owner: null, outcome: 'ok', error: null },
    ...{ address: null, requestId: null, before: null, once: null, after: { name: 'a\u009b1m\u202eb' } },
  };
  await store.appendJournal(Array.from({ length: 1_500 }, () => draft));

  const { stdout, stderr } = await audit(['export']);

  expect(stdout.match(/\n/g)).toHaveLength(1_500);
  expect(stdout).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  expect(stderr).toMatch(/^postern: wrote 1500 events; anchor: evt_0{12}1500:[0-9a-f]{64}\n$/);
  expect(await postern(['audit', 'verify', '-'], { environment, stdin: stdout })).toMatchObject({
    exitCode: 0,
  });
});

it('goes on in a file after its last event, and mends what an interruption left', async () => {
  const { audit, create, lines } = await startWithEvents(3);
  const files: Record<string, string> = { log: `${lines[0]}\n${lines[1]?.slice(0, 40)}` };

  const first = await audit(['export', '--append', 'log'], { files });
  await create();
  const second = await audit(['export', '--append', 'log'], { files });
  const third = await audit(['export', '--append', 'log'], { files });

  expect([first.stderr, second.stderr, third.stderr].map((text) => /wrote \d/.exec(text)?.[0])).toEqual([
    'wrote 2',
    'wrote 1',
    'wrote 0',
  ]);
  expect(first.stdout).toBe('');
  expect(files.log?.split('\n').slice(0, 3)).toEqual(lines);
  expect(await postern(['audit', 'verify', 'log'], { files })).toMatchObject({ exitCode: 0 });
});

it('begins a file that is not there, and exports what follows an event or lies between two times', async () => {
  const { audit, lines } = await startWithEvents(3);
  const files: Record<string, string> = {};

  await audit(['export', '--append', 'new'], { files });
  const after = await audit(['export', '--after', JSON.parse(lines[1] ?? '').id]);
  const none = await audit(['export', '--until', '2000-01-01T00:00:00Z']);

  expect(files.new).toBe(`${lines.join('\n')}\n`);
  expect(after.stdout).toBe(`${lines[2]}\n`);
  expect(none).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: 'postern: wrote 0 events; there are none\n',
  });
});

it('writes nothing into a file that ends with something else, or with an event of another journal', async () => {
  const { audit, lines } = await startWithEvents(3);
  const other = { ...JSON.parse(lines[0] ?? ''), hash: 'f'.repeat(64) };
  const files = { text: 'not ours', other: `${JSON.stringify(other)}\n`, torn: 'half a line' };

  for (const name of ['text', 'torn'] as const) {
    const refused = await audit(['export', '--append', name], { files });
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toContain(`${name} does not end with an event of an export`);
  }
  const refused = await audit(['export', '--append', 'other'], { files });
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain(
    'evt_0000000000000002, the next event that the service has, does not follow',
  );
  expect(files).toEqual({ text: 'not ours', other: `${JSON.stringify(other)}\n`, torn: 'half a line' });
});

it('verifies the journal of the running service', async () => {
  const { audit, lines } = await startWithEvents(2);

  const whole = await audit(['verify', '--anchor', anchorOf(lines[0])]);
  const cut = await audit(['verify', '--anchor', `evt_0000000000000009:${'0'.repeat(64)}`]);

  expect(whole).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^whole: 2 events/) });
  expect(cut).toMatchObject({ exitCode: 1, stdout: '' });
  expect(cut.stderr).toContain('the end was cut off: evt_0000000000000009 was there');
});

it.each<[string, (lines: string[]) => string[], RegExp[]]>([
  [
    'a changed field',
    (lines) => lines.with(2, lines[2]?.replace('"key 2"', '"key x"') ?? ''),
    [/3 .*was changed/],
  ],
  [
    'a changed hash',
    (lines) => lines.with(2, JSON.stringify({ ...JSON.parse(lines[2] ?? ''), hash: 'f'.repeat(64) })),
    [/3 .*was changed/],
  ],
  [
    'a member that was added',
    (lines) => lines.with(2, lines[2]?.replace('{', '{"note":1,') ?? ''),
    [/3 .*was changed/],
  ],
  [
    'a member that hides another',
    (lines) => lines.with(2, lines[2]?.replace('{', '{"action":"RevokeKey",') ?? ''),
    [/line 3 is not as it was exported/, /3 .*was changed/],
  ],
  ['a removed line', (lines) => lines.toSpliced(2, 1), [/3 is missing: evt_0{15}4 .* follows evt_0{15}2$/]],
  [
    'two removed lines',
    (lines) => lines.toSpliced(2, 2),
    [/evt_0{15}3 to evt_0{15}4 are missing: evt_0{15}5 .* follows evt_0{15}2$/],
  ],
  ['a repeated line', (lines) => lines.toSpliced(2, 0, lines[1] ?? ''), [/2 .*stands there twice/]],
  [
    'lines in another order',
    (lines) => [lines[0] ?? '', lines[2] ?? '', lines[1] ?? '', ...lines.slice(3)],
    [/2 is missing/, /2 .*stands after evt_0{15}3: it was moved or added/],
  ],
  ['an added line', (lines) => lines.toSpliced(2, 0, 'nothing of ours'), [/line 3 is not an event/]],
  ['a last line that is cut', (lines) => lines.with(-1, lines.at(-1)?.slice(0, 50) ?? ''), [/line 5 is/]],
])('finds %s, and says exactly which event it is', async (_, change, messages) => {
  const { lines, verify } = await startWithEvents(5);

  const tampered = await verify(change(lines));

  expect(tampered).toMatchObject({ exitCode: 1, stdout: '' });
  const found = tampered.stderr.split('\n').filter((line) => line.startsWith('  '));
  expect(found).toHaveLength(messages.length);
  for (const [at, message] of messages.entries()) expect(found[at]).toMatch(message);
});

it('finds an event that was replaced by another with a hash of its own', async () => {
  const { lines, verify } = await startWithEvents(4);
  const other = await startWithEvents(4);

  const tampered = await verify(lines.with(1, other.lines[1] ?? ''));

  expect(tampered.exitCode).toBe(1);
  expect(tampered.stderr).toMatch(/evt_0{15}1 .* was replaced: evt_0{15}2 was written after another event/);
  expect(tampered.stderr).toMatch(/evt_0{15}2 .* was replaced: evt_0{15}3 was written after another event/);
});

it('finds an end that was cut off by an anchor alone, and a beginning that does not fit one', async () => {
  const { lines, verify } = await startWithEvents(5);
  const wrong = `evt_0000000000000001:${'0'.repeat(64)}`;

  expect(await verify(lines.slice(0, 3))).toMatchObject({ exitCode: 0 });
  const cut = await verify(lines.slice(0, 3), [
    '--anchor',
    anchorOf(lines[4]),
    '--anchor',
    anchorOf(lines[1]),
  ]);
  const other = await verify(lines, ['--anchor', wrong]);
  const before = await verify(lines.slice(1), ['--anchor', wrong]);
  const fits = await verify(lines.slice(1), ['--anchor', anchorOf(lines[0])]);

  expect(cut.exitCode).toBe(1);
  expect(cut.stderr).toContain('the end was cut off: evt_0000000000000005 was there, and the last is evt_');
  expect(other.stderr).toMatch(/evt_0{15}1 .* is not the event of the anchor/);
  expect(before.stderr).toMatch(/evt_0{15}2 .* does not follow the event of the anchor/);
  expect([other.exitCode, before.exitCode, fits.exitCode]).toEqual([1, 1, 0]);
});

it('takes a journal whose beginning is gone for whole, says where it begins, and claims nothing of it', async () => {
  const { lines, verify } = await startWithEvents(5);

  const later = await verify(lines.slice(2));
  const outdated = await verify(lines.slice(2), ['--anchor', anchorOf(lines[0])]);

  expect(later).toMatchObject({ exitCode: 0, stderr: '' });
  expect(later.stdout).toContain('\nit begins at evt_0000000000000003: what came before is not there');
  expect(outdated).toMatchObject({ exitCode: 2, stdout: '' });
  expect(outdated.stderr).toContain('nothing can be said of the anchor evt_0000000000000001');
});

it('tells of 20 faults and counts the rest', async () => {
  const { lines, verify } = await startWithEvents(1);

  const tampered = await verify([...lines, ...Array.from({ length: 25 }, () => 'x')]);

  expect(tampered.stderr.match(/^ {2}line/gm)).toHaveLength(20);
  expect(tampered.stderr).toContain('\n  and 5 more\n');
});

it.each([
  ['a file that is not there', ['verify', 'nowhere'], 'nowhere cannot be read: ENOENT'],
  ['a file without events', ['verify', 'text'], 'text holds no events'],
  ['a line without an end', ['verify', 'long'], 'line 1 is longer than'],
  ['a wrong anchor', ['verify', '--anchor', 'x'], 'Write it as export prints it'],
  ['a file and an event to go on after', ['export', '--append', 'new', '--after', 'x'], 'Leave out --after'],
])('ends with 2 when it is given %s', async (_, argv, message) => {
  const environment = { POSTERN_ADMIN_KEY: 'a'.repeat(32) };
  const files = { text: 'hello\n', long: 'x'.repeat(5_000_000) };

  const refused = await postern(['audit', ...argv], { environment, files });

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain(message);
});

it('does not take a refusal for tampering', async () => {
  const error = { code: 'PERMISSION_DENIED', message: 'No.', details: { reason: 'R' } };
  const environment = { POSTERN_ADMIN_KEY: 'a'.repeat(32) };

  const refused = await postern(['audit', 'verify'], { environment, ...answering(403, { error }) });

  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
});
