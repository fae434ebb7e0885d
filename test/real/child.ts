import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from './binary.ts';
import { startContainer } from './container.ts';
import { standingStill } from './standing-still.ts';

/** A part that was started. */
export interface Running {
  readonly pid: number;
  /** Its exit code, `null` after a signal. Never rejects. */
  readonly exited: Promise<number | null>;
  hasExited(): boolean;
  /** All that it has written so far. */
  log(): string;
  /** Sends a signal; returns after SIGSTOP once it stands still. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Ends it at once, stopped processes too, and returns when it is gone. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /**
   * Whether it is in the session of this process, where Ctrl-C in a terminal reaches it, too. Linux divides a core among
   * sessions before it divides it among their threads (`sched_autogroup_enabled`), and not always evenly: beside a
   * process that never waits, one in a session of its own was given none of the core they shared for 5 s at a time.
   */
  readonly inSession?: boolean;
}

/**
 * Starts a program, which keeps its files in the scratch folder.
 * Should this process die, whatever the way, the program is killed and the folder removed.
 */
export async function start(
  program: Program,
  args: readonly string[],
  scratch: string,
  env: NodeJS.ProcessEnv = process.env,
  { inSession = false }: StartOptions = {},
): Promise<Running> {
  if ('image' in program) return startContainer(program.image, [program.command, ...args], scratch);

  // A file, not a pipe: the program must not wait for a parent that is busy.
  const logFile = join(scratch, `${randomUUID()}.log`);
  const output = openSync(logFile, 'a');
  // Else detached, so that Ctrl-C in a terminal reaches this process alone, which then ends it in order.
  const child = spawn(program.path, args, { stdio: ['ignore', output, output], detached: !inSession, env });
  closeSync(output);
  const pid = child.pid;
  if (pid === undefined) {
    const [error] = await once(child, 'error');
    throw error;
  }
  const watchdog = watch(pid, scratch);
  const exited = once(child, 'exit').then(([code]) => {
    watchdog.kill('SIGKILL');
    return code as number | null;
  });

  return {
    pid,
    exited,
    hasExited: () => child.exitCode !== null || child.signalCode !== null,
    log: () => readFileSync(logFile, 'utf8'),
    async kill(signal) {
      child.kill(signal);
      if (signal === 'SIGSTOP') await standingStill(pid);
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/**
 * A shell that waits for its input to close, which happens when this process ends, a SIGKILL included
 * (an 'exit' handler would not run then, nor when vitest ends a worker).
 */
function watch(pid: number, scratch: string): ChildProcess {
  const script = 'read -r _; kill -9 "$1"; rm -rf "$2"';
  const watchdog = spawn('/bin/sh', ['-c', script, 'watchdog', String(pid), scratch], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watchdog.stdin.on('error', () => {});
  watchdog.unref();
  (watchdog.stdin as unknown as { unref(): void }).unref();
  return watchdog;
}
