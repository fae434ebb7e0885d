import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { releaseNotes } from '../../../scripts/release-notes.ts';
import { actionlint, helm, registry, zizmor } from '../tools.ts';
import { repository } from './image-tree.ts';

const run = promisify(execFile);
const sources = [
  ...globSync('.github/workflows/*.{yml,yaml}', { cwd: repository }),
  ...globSync('deploy/github/*.yaml', { cwd: repository }),
].sort();

let folder: string;
/** Where GitHub would look for them. */
let workflows: readonly string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-release-'));
  const into = join(folder, '.github/workflows');
  mkdirSync(into, { recursive: true });
  for (const path of sources) copyFileSync(join(repository, path), join(into, basename(path)));
  workflows = sources.map((path) => join(into, basename(path)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('actionlint finds nothing wrong in the workflows and their examples', async () => {
  expect(sources).toEqual(['.github/workflows/ci.yml', '.github/workflows/release.yml', ...sources.slice(2)]);
  await run(await actionlint(), ['-shellcheck=', '-pyflakes=', ...workflows], { cwd: folder });
});

it('zizmor finds no way to abuse the workflows and their examples', async () => {
  const { stdout } = await run(await zizmor(), ['--offline', '--no-progress', '--format=json', ...workflows]);

  expect(JSON.parse(stdout)).toEqual([]);
});

it('every action is held to a commit', () => {
  for (const path of workflows) {
    const uses = [...readFileSync(path, 'utf8').matchAll(/uses: (.*)/g)].map(([, action = '']) => action);
    expect(uses.length).toBeGreaterThan(0);
    for (const action of uses) expect(action).toMatch(/^[\w.-]+\/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  }
});

it('the package would be published, with the types of its client and without tests', async () => {
  const args = ['publish', '--dry-run', '--ignore-scripts', '--json', '--access', 'public'];
  const { stdout } = await run('npm', args, { cwd: repository, maxBuffer: 64 * 1024 * 1024 });
  const told = JSON.parse(stdout);
  const { files, name } = told.files === undefined ? Object.values<typeof told>(told)[0] : told;
  const paths = files.map(({ path }: { path: string }) => path);

  expect(name).toBe('postern');
  expect(paths).toEqual(expect.arrayContaining(['bin/postern.js', 'proto/postern/admin/v1/key_admin.proto']));
  expect(paths.filter((path: string) => /^(?:test|src|\.cache)\//.test(path))).toEqual([]);
});

it('the chart is packaged, pushed to a registry, and the same when it is pulled', async () => {
  const server = spawn(await registry(), { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void server.kill());
  const [line] = (await once(createInterface(server.stdout), 'line')) as [string];
  const charts = `oci://${line}/charts`;
  const call = async (...args: string[]) => run(await helm(), args, { cwd: folder });
  const { version } = parse(readFileSync(join(repository, 'deploy/helm/postern/Chart.yaml'), 'utf8'));

  mkdirSync(join(folder, 'pulled'));
  await call('package', join(repository, 'deploy/helm/postern'));
  const pushed = await call('push', `postern-${version}.tgz`, charts, '--plain-http');
  await call('pull', `${charts}/postern`, '--version', version, '--plain-http', '-d', 'pulled');

  expect(pushed.stdout + pushed.stderr).toMatch(/^Digest: sha256:[0-9a-f]{64}$/m);
  const bytes = (path: string) => readFileSync(join(folder, path));
  expect(bytes(`pulled/postern-${version}.tgz`).equals(bytes(`postern-${version}.tgz`))).toBe(true);
});

it('the notes of a release are what the changelog says of it, once it has a date', () => {
  const changelog =
    '# Changelog\n\n## 0.2.0 – 2031-01-31\n\n### Added\n\n- B.\n\n## 0.1.0 – unreleased\n\n- A.\n';

  expect(releaseNotes(changelog, '0.2.0')).toBe('### Added\n\n- B.\n');
  expect(releaseNotes(changelog, '0.1.0')).toBeNull();
  expect(releaseNotes(changelog, '0.3.0')).toBeNull();
});
