import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { makeKey } from '../stack.ts';

const acme = `
  - name: acme
    places: [{ header: X-Acme-Key }]
    prefixes: { acme_: live }
    accept: { pattern: '[0-9a-z]{32}' }
    mint: { alphabet: 0-9a-z, length: 32 }`;
const open = `schemes:\n  - postern${acme}\nplans: { gold: { limit: 1000, window: 60s } }\ncheck: { store_timeout: 5s }\n`;
const closed = `${open}rules: [{ match: { path: /* }, permissions: [enter] }]\n`;

let folder: string;
let config: string;
let postern: Postern;
/** That it had logged when the settings were put. */
let linesBefore = 0;
let own: string;
let acmeKey: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-reload-'));
  config = join(folder, 'postern.yaml');
  await writeFile(config, closed);
  postern = await startPostern({ POSTERN_CONFIG: config });
  own = (await makeKey(postern)).key;
  acmeKey = (await makeKey(postern, { scheme: 'acme', plan: 'gold' })).key;
});
afterAll(async () => {
  await postern?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe('settings that are wrong are told as at the start, and the old ones hold on', () => {
  it.each([
    ['a syntax error', () => put('rules: [\n'), [/postern\.yaml:\d+: /]],
    [
      'two settings that there are not',
      () => put('rulez: []\nchecks: {}\n'),
      [/yaml:1: rulez: .*did you mean rules\?$/, /yaml:2: checks: .*did you mean check\?$/],
    ],
    [
      'a preset that there is not',
      () => put('schemes:\n  - mirra\n'),
      [/yaml:2: schemes\.0: there is no preset "mirra"; did you mean mira\?$/],
    ],
    [
      'a pattern that can backtrack',
      () => put(open.replace('[0-9a-z]{32}', '(a+)+')),
      [/yaml:6: schemes\.1\.accept\.pattern: can backtrack badly/],
    ],
    [
      'no text any more',
      () => put('# all gone\n'),
      [/has become empty; expected settings, or \{\} for none$/],
    ],
    ['no file any more', noteLines, [/cannot be read: ENOENT, there is no such file$/]],
    ['a folder in its place', replaceByFolder, [/cannot be read: EISDIR, it is a folder$/]],
    ['a link that leads nowhere', replaceByLoop, [/cannot be read: ELOOP$/]],
  ] as const)('%s', async (_, spoil, expected) => {
    await rm(config, { recursive: true, force: true });
    await spoil();
    const problems = expected.map((pattern) => expect.stringMatching(pattern));
    await hangUp('the settings stay as they were: the new ones are wrong', { level: 50, problems });
    expect(await reasonOf({ authorization: `Bearer ${own}` })).toBe('permission_denied');
    expect(await metric('last_reload_successful')).toBe(0);
  });
});

describe('settings that are right hold for all that comes from then on', () => {
  beforeEach(async () => {
    await rm(config, { recursive: true, force: true });
    await put(closed);
    await hangUp('the settings were read again');
    await expect.poll(() => reasonOf({ authorization: `Bearer ${own}` })).toBe('permission_denied');
    await expect.poll(() => reasonOf({ 'x-acme-key': acmeKey })).toBe('permission_denied');
  });

  it('on SIGHUP: rules', async () => {
    await put(open);
    const failures = await metric('reloads_total', 'failure');
    await hangUp('the settings were read again', { changed: ['rules'] });
    await expect.poll(() => reasonOf({ authorization: `Bearer ${own}` })).toBe('allowed');
    expect(await metric('last_reload_successful')).toBe(1);
    expect(await metric('reloads_total', 'failure')).toBe(failures);
    expect(Date.now() / 1_000 - (await metric('last_reload_success_timestamp_seconds'))).toBeLessThan(60);
  });

  it('when a scheme is gone its keys have no form any more, which is told with their number', async () => {
    expect(await reasonOf({ 'x-acme-key': acmeKey })).toBe('permission_denied');
    const from = postern.logLines().length;
    await put(
      closed
        .replace(
          acme,
          '\n  - name: other\n    places: [{ header: X-Acme-Key }]\n    prefixes: { oth_: live }\n    accept: { alphabet: 0-9a-z, length: 32 }\n    mint: { alphabet: 0-9a-z, length: 32 }',
        )
        .replace(/plans: .*\n/, ''),
    );
    await hangUp('the settings were read again', { changed: ['plans', 'schemes'] });
    await expect.poll(() => reasonOf({ 'x-acme-key': acmeKey })).toBe('malformed');
    const lines = () => postern.logLines().slice(from);
    await until('it is told', () => lines().find(({ msg }) => String(msg).startsWith('a scheme is gone')));
    expect(lines()).toContainEqual(expect.objectContaining({ level: 40, scheme: 'acme', keys: '1' }));
    await expect.poll(lines).toContainEqual(expect.objectContaining({ level: 40, plan: 'gold' }));
    await expect(makeKey(postern, { scheme: 'acme' })).rejects.toThrow('is not configured');
    expect(await makeKey(postern, { scheme: 'other' })).toHaveProperty('scheme', 'other');
  });

  it('but for those that need a restart, which one line names', async () => {
    await put(`${open}staleness_max: 20s\nmemory: { keys_max: 7 }\nlog: { level: debug }\n`);
    await hangUp('the settings were read again');
    const last = () => postern.logLines().findLast(({ level }) => level === 40);
    await expect.poll(last).toMatchObject({
      msg: 'holds only after a restart: memory.keys_max, staleness_max',
      settings: ['memory.keys_max', 'staleness_max'],
    });
    await expect.poll(() => reasonOf({ authorization: `Bearer ${own}` })).toBe('allowed');
  });

  it('without a signal, once a file that was half written is whole', async () => {
    await put('rules: [{ match: { path: /* }, permi');
    await until(
      'it is refused',
      () => last()?.msg === 'the settings stay as they were: the new ones are wrong',
    );
    expect(await reasonOf({ authorization: `Bearer ${own}` })).toBe('permission_denied');
    await put(open);
    await until('it is taken', () => last()?.msg === 'the settings were read again');
    await expect.poll(() => reasonOf({ authorization: `Bearer ${own}` })).toBe('allowed');
  });

  it('without a signal, when a ConfigMap is another one, which is a link that is renamed', async () => {
    for (const [name, text] of [
      ['old', closed],
      ['new', open],
    ] as const) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'postern.yaml'), text);
    }
    await symlink('old', join(folder, '..data'));
    await rm(config);
    await symlink(join('..data', 'postern.yaml'), config);
    await symlink('new', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    await until(
      'it is taken',
      async () => (await reasonOf({ authorization: `Bearer ${own}` })) === 'allowed',
    );
  });
});

it('Checks go on while settings change again and again, each by the old ones or the new', async () => {
  const seen = new Set<unknown>();
  const done = new AbortController();
  let asked = 0;
  const ask = async () => {
    for (; !done.signal.aborted; asked++) seen.add(await reasonOf({ authorization: `Bearer ${own}` }));
  };
  const asking = ask();
  for (const text of [closed, 'rules: 5', open]) {
    await put(text);
    await hangUp(
      text.length > 10
        ? 'the settings were read again'
        : 'the settings stay as they were: the new ones are wrong',
    );
    const before = asked;
    await until('one that began since then is answered', () => asked > before + 1);
  }
  done.abort();
  await asking;
  expect([...seen].toSorted()).toEqual(['allowed', 'permission_denied']);
});

/** Written beside and renamed, as an editor does. */
async function put(text: string): Promise<void> {
  await noteLines();
  await writeFile(`${config}.new`, text);
  await rename(`${config}.new`, config);
}

async function noteLines(): Promise<void> {
  linesBefore = postern.logLines().length;
}

async function replaceByFolder(): Promise<void> {
  await noteLines();
  await mkdir(config);
}

async function replaceByLoop(): Promise<void> {
  await noteLines();
  await symlink(config, config);
}

/**
 * Sends SIGHUP and waits for the line that tells what came of the settings that were put last. They may have been read
 * before that without a signal, on a machine that is slow.
 */
async function hangUp(message: string, fields: object = {}): Promise<void> {
  await postern.kill('SIGHUP');
  await expect
    .poll(() => postern.logLines().slice(linesBefore))
    .toContainEqual(expect.objectContaining({ msg: message, ...fields }));
}

function last(): Record<string, unknown> | undefined {
  return postern.logLines().findLast(({ msg }) => String(msg).startsWith('the settings '));
}

async function reasonOf(headers: Readonly<Record<string, string>>): Promise<unknown> {
  const { host, port } = postern.check;
  const { code, reason } = await sendCheck(`${host}:${port}`, checkRequest(headers));
  return code === 0 ? 'allowed' : reason;
}

async function metric(name: string, result?: string): Promise<number> {
  const text = await (await fetch(`${postern.url}/metrics`)).text();
  const labels = result === undefined ? '{what="settings"}' : `{what="settings",result="${result}"}`;
  const line = text.split('\n').find((one) => one.startsWith(`postern_config_${name}${labels} `));
  return Number(line?.split(' ').at(-1));
}
