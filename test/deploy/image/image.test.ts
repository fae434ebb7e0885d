import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { makeKey, send } from '../../e2e/stack.ts';
import { type Running, start } from '../../real/child.ts';
import { type Echo, startEcho } from '../../real/echo.ts';
import { type Envoy, startEnvoy } from '../../real/envoy.ts';
import { freePort } from '../../real/port.ts';
import { adminKey } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { hadolint } from '../tools.ts';
import { readDockerfile } from './dockerfile.ts';
import { allowedInContext, buildImage, bytesOf, filesIn, type ImageTree, repository } from './image-tree.ts';

const run = promisify(execFile);
// Twice npm ci, on a machine that may have much else to do.
const buildMsMax = 900_000;
const bytesMax = 90 * 1024 * 1024;

/** Whoever judges it needs a package in full. */
const slowPattern = `schemes:
  - name: acme
    places: [{ header: X-Acme-Key }]
    prefixes: { acme_live_: live }
    accept: { pattern: '(?:[a-z]+)+-[0-9A-Za-z]{40}' }
    mint: { alphabet: A-Za-z0-9, length: 43 }
`;

let image: ImageTree;
let scratch: string;

beforeAll(async () => {
  image = await buildImage();
  scratch = await mkdtemp(join(tmpdir(), 'postern-image-run-'));
}, buildMsMax);
afterAll(async () => {
  image?.remove();
  if (scratch) await rm(scratch, { recursive: true, force: true });
});

it('hadolint finds nothing in the Dockerfile', async () => {
  const { stdout } = await run(await hadolint(), ['--no-color', join(repository, 'deploy/Dockerfile')]);
  expect(stdout).toBe('');
});

it('every stage is of one pinned image, with the Node that the checkout pins', () => {
  const stages = readDockerfile(readFileSync(join(repository, 'deploy/Dockerfile'), 'utf8'));
  const { devDependencies, version } = readPackage();
  expect(new Set(stages.map(({ base }) => base))).toEqual(
    new Set([`node:${devDependencies.node}-trixie-slim`]),
  );
  expect(image.settings.labels['org.opencontainers.image.version']).toBe(version);
});

it('the user is a number other than 0, the store is in the volume, and the signal is the one that drains', () => {
  expect(image.settings).toMatchObject({
    user: expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/),
    folder: '/',
    volumes: ['/data'],
    stopSignal: 'SIGTERM',
    entrypoint: ['node', '/app/bin/postern.js'],
  });
});

it('only what the Dockerfile copies is sent to the engine', () => {
  const stages = readDockerfile(readFileSync(join(repository, 'deploy/Dockerfile'), 'utf8'));
  const copied = stages
    .flatMap(({ instructions }) => instructions)
    .filter(({ name, flags }) => name === 'COPY' && flags.from === undefined)
    .flatMap(({ text }) => text.split(/\s+/).slice(0, -1));
  expect(allowedInContext().toSorted()).toEqual([...new Set(copied)].toSorted());
});

it('holds compiled code and what it needs in production, and nothing else', () => {
  const app = image.place('/app');
  expect(readdirSync(app).toSorted()).toEqual(
    ['LICENSE', 'bin', 'dist', 'healthcheck.js', 'node_modules', 'package.json'].toSorted(),
  );
  const own = [...filesIn(join(app, 'dist')), ...filesIn(join(app, 'bin'))];
  expect(own.filter((path) => path.endsWith('.ts'))).toEqual([]);

  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  const forDevelopment = Object.entries(lock.packages).filter(([, { dev }]) => dev === true);
  expect(forDevelopment.length).toBeGreaterThan(20);
  expect(forDevelopment.filter(([path]) => existsSync(join(app, path)))).toEqual([]);

  const bytes = bytesOf(app);
  process.stderr.write(`what is put on top of the Node image: ${(bytes / 1e6).toFixed(1)} MB\n`);
  expect(bytes).toBeLessThan(bytesMax);
});

it('serves Checks from a read-only root, tells its health, and drains on its stop signal', async () => {
  const { url, check, environment, postern } = await serve();
  expect(await healthcheck(environment)).toMatchObject({ code: 0 });

  const [echo, envoy] = await startEdge(check);
  const { key } = await makeKey({ url });
  const allowed = await send(envoy.url, '/', [['authorization', `Bearer ${key}`]]);
  expect(allowed).toMatchObject({ status: 200, upstream: { headers: { 'x-postern-scheme': ['postern'] } } });
  expect(await send(envoy.url, '/')).toMatchObject({ status: 401 });
  expect(echo.requests()).toBe(1);
  expect(readdirSync(image.place('/data'))).toContain('postern.db');
  expect(readdirSync(image.root).toSorted()).toEqual(['app', 'data', 'usr']);

  await postern.kill(image.settings.stopSignal as NodeJS.Signals);
  expect(await postern.exited).toBe(0);
  expect(await healthcheck(environment)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/not healthy/),
  });
});

it('runs the other commands by the same entry point', async () => {
  const { url } = await serve();
  const { stdout } = await runInImage(['keys', 'list', '--json'], {
    POSTERN_ADMIN_KEY: adminKey,
    POSTERN_ADDRESS: url,
  });
  expect(JSON.parse(stdout)).toMatchObject({ data: expect.any(Array) });
  const printed = await runInImage(['config', 'print'], {});
  expect(printed.stdout).toContain('sqlite:data/postern.db');

  const settings = join(image.place('/data'), 'slow-pattern.yaml');
  await writeFile(settings, slowPattern);
  onTestFinished(() => rm(settings));
  const checked = runInImage(['config', 'check', settings], {});
  await expect(checked).rejects.toMatchObject({ code: 2, stdout: expect.stringContaining('backtrack') });
});

it('the health check follows a socket and an address that means all of them', async () => {
  let answer = 200;
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/readyz' ? answer : 404).end();
  });
  const socket = join(image.place('/data'), 'http.sock');
  server.listen({ path: socket, writableAll: true });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  expect(await healthcheck({ POSTERN_HTTP_LISTEN: `unix:${socket}` })).toMatchObject({ code: 0 });
  answer = 503;
  expect(await healthcheck({ POSTERN_HTTP_LISTEN: `unix:${socket}` })).toMatchObject({ code: 1 });

  const port = await freePort();
  const { environment } = await serve({ POSTERN_HTTP_LISTEN: `0.0.0.0:${port}` });
  expect(await healthcheck(environment)).toMatchObject({ code: 0 });
});

async function serve(settings: Readonly<Record<string, string>> = {}) {
  const [check, admin, http] = [await freePort(), await freePort(), await freePort()];
  const environment = {
    POSTERN_CHECK_LISTEN: `127.0.0.1:${check}`,
    POSTERN_ADMIN_LISTEN: `127.0.0.1:${admin}`,
    POSTERN_HTTP_LISTEN: `127.0.0.1:${http}`,
    POSTERN_ADMIN_KEY: adminKey,
    ...settings,
  };
  expect(await healthcheck(environment)).toMatchObject({ code: 1 });
  const { entrypoint, command } = image.settings;
  const args = image.runArgs([...entrypoint, ...command]);
  const postern = await start({ path: '/usr/bin/env' }, args, scratch, image.environment(environment));
  onTestFinished(() => postern.stop());
  await until(
    () => `the image is ready\n${postern.log()}`,
    () => isReady(postern),
  );
  return { postern, environment, url: `http://127.0.0.1:${http}`, check: { host: '127.0.0.1', port: check } };
}

function isReady(postern: Running): boolean {
  if (postern.hasExited()) throw new Error(`Postern ended\n${postern.log()}`);
  return postern.log().includes('"msg":"ready"');
}

async function startEdge(check: { host: string; port: number }): Promise<[Echo, Envoy]> {
  const echo = await startEcho();
  onTestFinished(() => echo.stop());
  const envoy = await startEnvoy({
    ...{ checkAddress: check, upstreamAddress: echo.address, checkTimeoutMs: 15_000 },
  });
  onTestFinished(() => envoy.stop());
  return [echo, envoy];
}

function runInImage(words: readonly string[], more: Readonly<Record<string, string>>) {
  const args = image.runArgs([...image.settings.entrypoint, ...words]);
  return run('/usr/bin/env', args, { env: image.environment(more) });
}

async function healthcheck(
  more: Readonly<Record<string, string>>,
): Promise<{ code: number; stderr: string }> {
  const args = image.runArgs(image.settings.healthcheck);
  try {
    const { stderr } = await run('/usr/bin/env', args, { env: image.environment(more) });
    return { code: 0, stderr };
  } catch (error) {
    const { code, stderr } = error as { code: number; stderr: string };
    return { code, stderr };
  }
}

function readPackage(): { devDependencies: { node: string }; version: string } {
  return JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
}
