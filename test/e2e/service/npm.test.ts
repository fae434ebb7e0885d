import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { type Running, start } from '../../real/child.ts';
import { executable } from '../../real/installation.ts';
import { descendants, leftOf } from '../../real/processes.ts';
import { until } from '../../real/until.ts';

const repository = fileURLToPath(new URL('../../..', import.meta.url));

const environment = {
  ...{ PATH: process.env.PATH, HOME: process.env.HOME },
  ...{ POSTERN_STORE: 'sqlite::memory:', POSTERN_CHECK_LISTEN: '127.0.0.1:0' },
  ...{ POSTERN_ADMIN_LISTEN: '127.0.0.1:0', POSTERN_HTTP_LISTEN: '127.0.0.1:0' },
};

/** What npm is asked for, and the words by which it is known to run. */
const commands = [
  [['start'], '"msg":"ready"'],
  [['exec', '--', 'postern', 'serve'], '"msg":"ready"'],
  [['run', 'demo'], 'Ctrl-C ends'],
] as const;

it.each(
  commands.flatMap(([args, words]) =>
    (['SIGTERM', 'SIGKILL'] as const).map(
      (signal) => [`npm ${args.join(' ')}`, signal, args, words] as const,
    ),
  ),
)('%s leaves no process behind when npm alone gets %s', async (_, signal, args, words) => {
  const npm = await startNpm(args);
  await runs(npm, words);
  const started = await descendants(npm.pid);
  expect(started.map(({ command }) => command).join('\n')).toMatch(/postern/);

  await npm.kill(signal);
  await npm.exited;
  await expect.poll(() => leftOf(started)).toEqual([]);
  if (signal === 'SIGTERM' && args[0] === 'start') expect(npm.log()).toContain('"msg":"stopped"');
});

it('npm start drains once when a terminal and npm both pass on its Ctrl-C', async () => {
  const npm = await startNpm(['start']);
  await runs(npm, '"msg":"ready"');
  const started = await descendants(npm.pid);
  for (const { pid } of [...started, { pid: npm.pid }]) process.kill(pid, 'SIGINT');
  await npm.exited;
  await expect.poll(() => leftOf(started)).toEqual([]);
  expect(npm.log()).toContain('"msg":"stopped"');
});

it('a service that an older Node has handed over to ends with it, when that is killed', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'postern-npm-'));
  // The shell stands for the older Node.
  const line = `POSTERN_HANDED_OVER=$$ "${process.execPath}" bin/postern.js serve; exit`;
  const parent = await start(
    { path: '/bin/sh' },
    ['-c', `cd "${repository}"; ${line}`],
    scratch,
    environment,
  );
  onTestFinished(() => end(parent, scratch));
  await runs(parent, '"msg":"ready"');
  const started = await descendants(parent.pid);
  expect(started).toHaveLength(1);
  await parent.kill('SIGKILL');
  await expect.poll(() => leftOf(started)).toEqual([]);
});

/** npm in this repository, as a terminal starts it: alone, or in front of a group that hears of no signal to npm. */
async function startNpm(args: readonly string[]): Promise<Running> {
  const path = (process.env.PATH ?? '')
    .split(':')
    .map((folder) => join(folder, 'npm'))
    .find(executable);
  if (path === undefined) throw new Error('no npm on the PATH');
  const scratch = await mkdtemp(join(tmpdir(), 'postern-npm-'));
  const npm = await start({ path }, ['--prefix', repository, ...args], scratch, environment);
  onTestFinished(() => end(npm, scratch));
  return npm;
}

async function runs(started: Running, words: string): Promise<void> {
  await until(
    () => `it runs\n${started.log()}`,
    () => started.log().includes(words) || started.hasExited(),
  );
}

async function end(started: Running, scratch: string): Promise<void> {
  for (const { pid } of await descendants(started.pid)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It has ended meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  await started.stop();
  await rm(scratch, { recursive: true, force: true });
}
