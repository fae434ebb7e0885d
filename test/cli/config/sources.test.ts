import { spawnSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const bin = fileURLToPath(new URL('../../../bin', import.meta.url));

let checkout: string;
beforeEach(async () => {
  checkout = await mkdtemp(join(tmpdir(), 'postern sources-'));
  await cp(bin, join(checkout, 'bin'), { recursive: true });
  await mkdir(join(checkout, 'src/cli'), { recursive: true });
  await writeFile(join(checkout, 'package.json'), '{"type":"module"}');
});
afterEach(() => rm(checkout, { recursive: true, force: true }));

it('a service of a checkout runs what its sources say, in threads too, where they were edited since, and where nothing can be kept', async () => {
  await write('cli/word.ts', "export const word: string = 'one';\n");
  await write(
    'cli/main.ts',
    `import { isMainThread, Worker } from 'node:worker_threads';
import { word } from './word.ts';
interface Said { readonly where: string }
const said = { where: isMainThread ? 'service' : 'thread' } satisfies Said;
console.log(said.where, word, process.features.typescript);
if (isMainThread) new Worker(new URL(import.meta.url), { env: { ...process.env } });
else { const why: string = 'where'; throw new Error(why); }
`,
  );

  expect(serve()).toEqual(['service one strip', 'thread one strip', 'main.ts:7:43']);
  const kept = await keptNames();
  expect(kept).toHaveLength(2);

  await write('cli/word.ts', "export const word: string = 'two';\n");
  expect(serve()).toEqual(['service two strip', 'thread two strip', 'main.ts:7:43']);
  expect(await keptNames()).toHaveLength(3);

  await rm(join(checkout, '.cache'), { recursive: true });
  await writeFile(join(checkout, '.cache'), '');
  expect(serve()).toEqual(['service two strip', 'thread two strip', 'main.ts:7:43']);
});

it('a source that is no TypeScript ends the start with the place', async () => {
  await write('cli/main.ts', 'const a = 1;\nconst b: = 2;\n');

  const { status, stderr } = run();
  expect(status).toBe(1);
  expect(stderr).toContain('main.ts:2');
});

function write(path: string, text: string): Promise<void> {
  return writeFile(join(checkout, 'src', path), text);
}

function run() {
  const { PATH = '' } = process.env;
  return spawnSync(process.execPath, [join(checkout, 'bin/postern.js'), 'serve'], {
    encoding: 'utf8',
    env: { PATH },
  });
}

/** What was printed, and where it ended. */
function serve(): string[] {
  const { stdout, stderr } = run();
  return [...stdout.trim().split('\n'), /main\.ts:\d+:\d+/.exec(stderr)?.[0] ?? stderr];
}

async function keptNames(): Promise<string[]> {
  return readdir(join(checkout, '.cache/sources', process.version));
}
