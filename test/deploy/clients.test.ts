import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { adminKey, type Postern, startPostern } from '../real/postern.ts';
import { repository } from './image/image-tree.ts';
import { goGenerators, grpcForPython } from './tools.ts';

const run = promisify(execFile);
const proto = 'postern/admin/v1/key_admin.proto';
const here = join(repository, 'test/deploy');

let service: Postern;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-clients-'));
  service = await startPostern({ POSTERN_STORE: 'sqlite::memory:', POSTERN_ADMIN_KEY: adminKey });
});
afterAll(async () => {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** grpcio-tools bring protoc, which calls the other generators by the PATH. */
async function generate(options: readonly string[], generators = ''): Promise<void> {
  const path = `${generators}${delimiter}${process.env.PATH}`;
  const env = { ...process.env, PATH: path, PYTHONPATH: await grpcForPython() };
  const args = ['-m', 'grpc_tools.protoc', '-I', join(repository, 'proto'), ...options, proto];
  const { stderr } = await run('python3', args, { cwd: folder, env });
  expect(stderr).toBe('');
}

function environment(others: Record<string, string> = {}) {
  return { ...process.env, POSTERN_ADMIN_KEY: adminKey, ...others };
}

it('a client that was generated for Python makes, lists, watches and revokes keys', async () => {
  mkdirSync(join(folder, 'python'));
  await generate(['--python_out=python', '--pyi_out=python', '--grpc_python_out=python']);

  const env = environment({ PYTHONPATH: [await grpcForPython(), join(folder, 'python')].join(delimiter) });
  const address = `127.0.0.1:${service.admin.port}`;
  const { stdout } = await run('python3', [join(here, 'client.py'), address], { env });

  expect(stdout).toBe('True True True NOT_FOUND\n');
});

it('a client that was generated for Go makes, lists, watches and revokes keys', async () => {
  const module = 'postern.dev/test/go-client';
  cpSync(join(here, 'go-client'), join(folder, 'go'), { recursive: true });
  const outputs = ['go', 'go-grpc'].flatMap((name) => [
    `--${name}_out=go`,
    `--${name}_opt=module=${module}`,
    `--${name}_opt=M${proto}=${module}/adminv1`,
  ]);
  await generate(outputs, await goGenerators());

  const env = environment({ GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' });
  const cwd = join(folder, 'go');
  await run('go', ['build', '-mod=readonly', '-o', 'client', '.'], { cwd, env });
  const { stdout } = await run(join(cwd, 'client'), [`127.0.0.1:${service.admin.port}`], { env });

  expect(stdout).toBe('true true true KEY_NOT_FOUND\n');
}, 600_000);
