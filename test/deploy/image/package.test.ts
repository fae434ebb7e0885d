import { execFile } from 'node:child_process';
import { globSync, lstatSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { start } from '../../real/child.ts';
import { startCollector } from '../../real/collector.ts';
import { adminKey } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { repository } from './image-tree.ts';

const run = promisify(execFile);
const installedBytesMax = 60 * 1024 * 1024;

let folder: string;
let postern: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-package-'));
  const npm = (args: string[], cwd: string) => run('npm', args, { cwd, maxBuffer: 64 * 1024 * 1024 });
  await npm(['pack', '--pack-destination', folder], repository);
  const [packed] = globSync('postern-*.tgz', { cwd: folder });
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'user', version: '0.0.0', private: true }),
  );
  await npm(['install', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', `./${packed}`], folder);
  postern = join(folder, 'node_modules/postern/bin/postern.js');
}, 600_000);
afterAll(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

it('installed for production, the package and all that it needs take 60 MB at most', () => {
  const root = join(folder, 'node_modules');
  const paths = globSync('**', { cwd: root }).map((path) => lstatSync(join(root, path)));
  // As du counts, by whole blocks.
  const bytes = paths.reduce((sum, { blocks }) => sum + blocks * 512, 0);

  expect(paths.length).toBeGreaterThan(1_000);
  expect(bytes).toBeLessThanOrEqual(installedBytesMax);
});

it('what is compiled into the package comes with its licenses, and without its packages', () => {
  const files = globSync('node_modules/**', { cwd: folder });

  expect(files).toContain('node_modules/postern/dist/bundled/LICENSES');
  expect(files.filter((path) => /^node_modules\/(?:zod|lru-cache|recheck[^/]*)$/.test(path))).toEqual([]);
});

it('the list of what it brings names every package that was installed with it', async () => {
  const { stdout } = await run('npm', ['sbom', '--sbom-format', 'spdx'], {
    cwd: folder,
    maxBuffer: 64 * 1024 * 1024,
  });
  const listed = JSON.parse(stdout).packages.map(({ name }: { name: string }) => name);

  const installed = globSync('{*,@*/*}/package.json', { cwd: join(folder, 'node_modules') });
  const names = installed.map((path) => path.replace(/\/package\.json$/, ''));
  expect(names.length).toBeGreaterThan(20);
  expect(listed).toEqual(expect.arrayContaining(names));
});

it('the installed package judges the patterns of settings', async () => {
  const accept = (pattern: string) => `schemes:
  - name: acme
    places: [{ header: X-Acme-Key }]
    prefixes: { acme_live_: live }
    accept: { pattern: '${pattern}' }
    mint: { alphabet: A-Za-z0-9, length: 43 }
`;
  await writeFile(join(folder, 'good.yaml'), accept('[A-Za-z0-9]{43}'));
  await writeFile(join(folder, 'bad.yaml'), accept('(?:[a-z]+)+-[0-9]'));
  const check = (file: string) => run(process.execPath, [postern, 'config', 'check', file], { cwd: folder });

  expect((await check('good.yaml')).stdout).toBe('good.yaml is valid\n');
  await expect(check('bad.yaml')).rejects.toMatchObject({
    code: 2,
    stdout: expect.stringContaining('can backtrack badly'),
  });
});

it('a program in TypeScript calls the service by postern/client, with its types', async () => {
  await writeFile(
    join(folder, 'program.mts'),
    `import { createClient, type Key, PosternError } from 'postern/client';
const client = createClient({ address: 'https://127.0.0.1:1', adminKey: 'x', triesMax: 1 });
try {
  const made = await client.createKey({ name: 'a', labels: { team: 'b' } });
  const key: Key | undefined = made.key;
  console.log(key?.id, made.secret);
  // @ts-expect-error: there is no such member
  await client.createKey({ nam: 'a' });
} catch (error) {
  if (error instanceof PosternError) console.log(error.code);
}
client.close();
`,
  );
  const types = join(repository, 'node_modules/@types');
  const options = [
    '--strict',
    '--target',
    'es2024',
    '--module',
    'nodenext',
    '--typeRoots',
    types,
    '--types',
    'node',
  ];

  await run(join(repository, 'node_modules/.bin/tsc'), [...options, '--noEmit', 'program.mts'], {
    cwd: folder,
  });
  const { stdout } = await run(process.execPath, ['program.mts'], { cwd: folder });

  expect(stdout).toBe('UNAVAILABLE\n');
});

it('the installed package looks after a Kubernetes cluster, whose client is compiled into it', async () => {
  const kubeconfig = join(folder, 'kubeconfig');
  const config = {
    'current-context': 'away',
    contexts: [{ name: 'away', context: { cluster: 'away', user: 'nobody' } }],
    clusters: [{ name: 'away', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'nobody', user: { token: 'none' } }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  const child = await start({ path: process.execPath }, [postern, 'controller'], folder, {
    PATH: process.env.PATH,
    KUBECONFIG: kubeconfig,
    POSTERN_ADMIN_KEY: adminKey,
  });
  onTestFinished(() => child.stop());

  const asked = 'https://127.0.0.1:1 does not answer: ECONNREFUSED';
  await until(
    () => `the controller asks the API server\n${child.log()}`,
    () => child.log().includes(asked),
  );
});

it('the installed package serves, and sends its traces', async () => {
  const collector = await startCollector();
  onTestFinished(() => collector.stop());
  const child = await start({ path: process.execPath }, [postern, 'serve'], folder, {
    PATH: process.env.PATH,
    POSTERN_CHECK_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_HTTP_LISTEN: '127.0.0.1:0',
    POSTERN_STORE: 'sqlite::memory:',
    POSTERN_ADMIN_KEY: adminKey,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  });
  onTestFinished(() => child.stop());
  const http = await until(
    () => `the package serves\n${child.log()}`,
    () => /"http":"([^"]+)".*"msg":"listening"/.exec(child.log())?.[1],
  );

  const answer = await fetch(`http://${http}/admin/api-keys`, {
    headers: { authorization: `Bearer ${adminKey}` },
  });

  expect(answer.status).toBe(200);
  const span = await until('the call is collected', () =>
    collector.spans().find(({ name }) => name.endsWith('ListKeys')),
  );
  expect(span).toMatchObject({ service: 'postern', kind: 2 });
});
