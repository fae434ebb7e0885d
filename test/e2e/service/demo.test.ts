import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { type Running, start } from '../../real/child.ts';
import { descendants, leftOf } from '../../real/processes.ts';
import { until } from '../../real/until.ts';

const run = promisify(execFile);

it('the demo prints lines that show allow, deny and revoke, and Ctrl-C ends all of it', async () => {
  const demo = await startDemo();
  const lines = (await ready(demo)).filter((line) => line.startsWith('curl '));
  const answers: string[] = [];
  for (const line of lines) {
    const { stdout } = await run('sh', ['-c', line]);
    const [head = '', body = ''] = stdout.split('\r\n\r\n');
    const code = /"code":"(\w+)"/.exec(body)?.[1] ?? '';
    answers.push(`${head.split(' ')[1]} ${code}`.trim());
    if (answers.length === 1) {
      expect(JSON.parse(body)).toMatchObject({ headers: { 'x-postern-owner': ['demo'] } });
      expect(body).not.toContain('authorization');
    }
    if (line.includes('DELETE')) expect(JSON.parse(body)).toMatchObject({ data: { state: 'revoked' } });
  }
  expect(answers).toEqual([
    '200',
    '401 invalid_api_key',
    '401 missing_api_key',
    '200',
    '401 revoked_api_key',
  ]);
  expect(lines[0]).toBe(lines.at(-1));

  const started = await descendants(demo.pid);
  expect(started.length).toBeGreaterThan(1);
  // As npm does, which passes on what the terminal sends to both.
  await demo.kill('SIGINT');
  await demo.kill('SIGINT');
  expect(await demo.exited).toBe(0);
  await expect.poll(() => leftOf(started)).toEqual([]);
});

it.each(['SIGINT', 'SIGTERM'] as const)('%s while the demo starts ends all of it too', async (signal) => {
  const demo = await startDemo();
  const started = await until('it starts something', async () => {
    const found = await descendants(demo.pid);
    return found.some(({ command }) => command.includes('postern.js')) && found;
  });
  await demo.kill(signal);
  expect(await demo.exited).toBe(0);
  await expect.poll(() => leftOf(started)).toEqual([]);
  expect(demo.log()).not.toContain('cannot go on');
});

it('a part that dies ends the demo with 1, after saying which', async () => {
  const demo = await startDemo();
  await ready(demo);
  const started = await descendants(demo.pid);
  const postern = started.find(({ command }) => /postern\.js serve/.test(command));
  process.kill(postern?.pid ?? 0, 'SIGKILL');
  expect(await demo.exited).toBe(1);
  expect(demo.log()).toContain('Postern has ended by itself. Its last words:');
  await expect.poll(() => leftOf(started)).toEqual([]);
});

async function startDemo(): Promise<Running> {
  const main = fileURLToPath(new URL('../../../deploy/demo/main.ts', import.meta.url));
  const scratch = await mkdtemp(join(tmpdir(), 'postern-demo-'));
  const demo = await start({ path: process.execPath }, [main], scratch);
  onTestFinished(async () => {
    await demo.stop();
    await rm(scratch, { recursive: true, force: true });
  });
  return demo;
}

/** What it has printed once all of it runs. */
async function ready(demo: Running): Promise<string[]> {
  const printed = () => `the demo runs\n${demo.log()}`;
  const text = await until(printed, () => {
    if (demo.hasExited()) throw new Error(demo.log());
    return demo.log().includes('Ctrl-C ends') && demo.log();
  });
  return text.split('\n');
}
