import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest';
import { readPresets } from '../../src/presets/read.ts';
import { mintSecret, type Scheme } from '../../src/schemes/scheme.ts';
import { adminKey, startPostern } from '../real/postern.ts';
import { repository } from './image/image-tree.ts';
import { terraform, terraformProvider } from './tools.ts';

const run = promisify(execFile);
const provider = mkdtempSync(join(tmpdir(), 'postern-terraform-provider-'));

let command: string;
let url: string;
let folder: string;

beforeAll(async () => {
  command = await terraform();
  await terraformProvider(provider);
  const overrides = `dev_overrides { "postern-dev/postern" = "${provider}" }`;
  writeFileSync(join(provider, 'terraform.rc'), `provider_installation {\n${overrides}\ndirect {}\n}\n`);
  const service = await startPostern({ POSTERN_STORE: 'sqlite::memory:', POSTERN_ADMIN_KEY: adminKey });
  url = service.url;
  return async () => {
    await service.stop();
    rmSync(provider, { recursive: true, force: true });
  };
}, 900_000);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-terraform-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

/** A whole key, made where its user is. */
function secret(): string {
  const minted = mintSecret(readPresets().get('postern') as Scheme, 'live');
  if (minted === null) throw new Error('the scheme has no such environment');
  return minted.secret.reveal();
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

interface Ended {
  readonly code: number;
  readonly output: string;
}

async function tf(args: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const env = {
    ...process.env,
    TF_CLI_CONFIG_FILE: join(provider, 'terraform.rc'),
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
    POSTERN_ADDRESS: url,
    POSTERN_ADMIN_KEY: adminKey,
    ...variables,
  };
  const ended = run(command, [...args, '-no-color'], { cwd: folder, env });
  return ended.then(
    ({ stdout, stderr }) => ({ code: 0, output: stdout + stderr }),
    ({ code, stdout, stderr }) => ({ code, output: `${stdout}${stderr}` }),
  );
}

/** What it printed, without its lines and frames. */
const told = ({ output }: Ended) => output.replace(/[\s│]+/g, ' ');

const apply = (variables = {}) => tf(['apply', '-auto-approve', '-input=false'], variables);
const plan = (variables = {}) => tf(['plan', '-detailed-exitcode', '-input=false'], variables);

async function admin(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return ((await answer.json()) as { data: Record<string, unknown> }).data;
}

const verify = (key: string) => admin('POST', '/admin/api-keys:verify', { key, address: '203.0.113.7' });

function write(text: string): void {
  const head = `terraform {
  required_providers {
    postern = {
      source = "postern-dev/postern"
    }
  }
}
provider "postern" {}
`;
  writeFileSync(join(folder, 'main.tf'), head + text);
}

it('the example makes keys that pass, whose secrets are in no state, and a second plan changes nothing', async () => {
  cpSync(join(repository, 'deploy/terraform-provider-postern/example/main.tf'), join(folder, 'main.tf'));
  const [billing, reporting] = [secret(), secret()];
  const variables = { TF_VAR_billing_secret: billing, TF_VAR_reporting_sha256: sha256(reporting) };

  expect(await apply(variables)).toMatchObject({ code: 0 });
  expect(await plan(variables)).toMatchObject({ code: 0 });

  for (const key of [billing, reporting]) expect(await verify(key)).toMatchObject({ allowed: true });
  expect(await admin('GET', '/admin/owners/acme')).toMatchObject({ labels: { tier: 'gold' } });
  const kept = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
  expect(kept.join()).toContain(sha256(billing));
  for (const key of [billing, reporting]) expect(kept.join()).not.toContain(key.slice(9));

  expect(await tf(['destroy', '-auto-approve', '-input=false'], variables)).toMatchObject({ code: 0 });
  for (const key of [billing, reporting]) {
    expect(await verify(key)).toMatchObject({ allowed: false, reason: 'revoked' });
  }
});

it('a change by hand is put right, a change of the file is made, and another secret is another key', async () => {
  const [first, second] = [secret(), secret()];
  const key = (name: string, of: string) =>
    write(
      `resource "postern_key" "job" {\n name = "${name}"\n permissions = ["read:x"]\n sha256 = "${sha256(of)}"\n}\n`,
    );
  key('job', first);
  expect(await apply()).toMatchObject({ code: 0 });
  const { key_id: id } = await verify(first);

  await admin('PATCH', `/admin/api-keys/${id}`, { permissions: ['write:x'] });
  expect(await plan()).toMatchObject({ code: 2 });
  expect(await apply()).toMatchObject({ code: 0 });
  expect(await admin('GET', `/admin/api-keys/${id}`)).toMatchObject({ permissions: ['read:x'] });

  key('renamed', first);
  expect(await apply()).toMatchObject({ code: 0 });
  expect(await admin('GET', `/admin/api-keys/${id}`)).toMatchObject({ name: 'renamed', state: 'active' });

  key('renamed', second);
  expect(await apply()).toMatchObject({ code: 0 });
  expect(await verify(first)).toMatchObject({ allowed: false, reason: 'revoked' });
  expect(await verify(second)).toMatchObject({ allowed: true });
});

it('a key that was revoked by hand needs another secret, which the error says at its argument', async () => {
  const lost = secret();
  write(`resource "postern_key" "job" {\n name = "job"\n sha256 = "${sha256(lost)}"\n}\n`);
  expect(await apply()).toMatchObject({ code: 0 });
  const { key_id: id } = await verify(lost);
  await admin('DELETE', `/admin/api-keys/${id}`);

  expect(await plan()).toMatchObject({ code: 2 });
  const refused = await apply();
  expect([refused.code, told(refused)]).toEqual([
    1,
    expect.stringContaining('There is a key with this sha256 already'),
  ]);
});

it('a key that is there is taken over, and not made anew', async () => {
  const key = secret();
  const made = await admin('POST', '/admin/api-keys', { name: 'there', sha256: sha256(key) });
  write(`resource "postern_key" "job" {\n name = "taken over"\n sha256 = "${sha256(key)}"\n}\n`);
  expect(await tf(['import', 'postern_key.job', String(made.id)])).toMatchObject({ code: 0 });
  expect(await apply()).toMatchObject({ code: 0, output: expect.stringContaining('1 changed, 0 destroyed') });
  expect(await plan()).toMatchObject({ code: 0 });
  expect(await verify(key)).toMatchObject({ allowed: true, key_id: made.id });
});

it.each([
  ['no secret', 'name = "x"', 'Give sha256, the digest of it, or secret_wo'],
  ['no digest', 'name = "x"\n sha256 = "abc"', '64 lower-case hexadecimal digits'],
  [
    'an unknown plan',
    `name = "x"\n scheme = "none"\n sha256 = "${'ab'.repeat(32)}"`,
    'scheme: is not configured',
  ],
])('says what is wrong with a key that has %s', async (_, members, said) => {
  write(`resource "postern_key" "job" {\n ${members}\n}\n`);
  const refused = await apply();
  expect([refused.code, told(refused)]).toEqual([1, expect.stringContaining(said)]);
});

it('says what the service refuses, by its field, and that nobody listens', async () => {
  write('resource "postern_role" "reader" {\n id = "reader-2"\n permissions = ["admin:read"]\n}\n');
  const refused = await apply();
  expect([refused.code, told(refused)]).toEqual([1, expect.stringContaining('permissions')]);
  const away = await apply({ POSTERN_ADDRESS: 'http://127.0.0.1:1' });
  expect([away.code, told(away)]).toEqual([1, expect.stringContaining('connection refused')]);
});
