import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { start } from '../real/child.ts';

/** By the sixth field of `/proc/PID/stat`, after a name in brackets that may hold anything. */
function sessionOf(pid: number | 'self'): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
}

// Linux divides a core among sessions first: a mongod in one of its own got nothing beside a client that never waits.
it('what is to share a core with the client is in its session, and all else in one of its own', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'postern-session-'));
  const program = { path: process.execPath };
  const wait = ['--eval', 'setInterval(() => {}, 1_000)'];
  const shared = await start(program, wait, scratch, process.env, { inSession: true });
  const own = await start(program, wait, scratch);
  onTestFinished(async () => {
    await Promise.all([shared.stop(), own.stop()]);
    await rm(scratch, { recursive: true, force: true });
  });
  expect(sessionOf(shared.pid)).toBe(sessionOf('self'));
  expect(sessionOf(own.pid)).toBe(own.pid);
});
