import { fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { type Port, processPort, threadPort } from '../../../link/port.ts';
import { goAfterChecks } from './precedence.ts';

/** A Check worker that was started, be it a thread or a process. */
export interface Spawned {
  readonly port: Port;
  /** Resolves, when it is gone for certain, to why: an error, or in a word how it ended. Never rejects. */
  readonly ended: Promise<unknown>;
  /** Gives it a connection; only where it does not listen by itself. */
  readonly hand?: (socket: Socket) => void;
  /** Ends it at once, whatever it does. */
  kill(): void;
}

/** @param name of the worker, by which it is told from others where processes are listed */
export type Spawn = (name: string) => Spawned;

/**
 * The most that is held of what has just been made, in MiB, of which a third is V8's semi-space. What a Check makes
 * lives as long as the Check: with more room it is collected less often, and hardly for longer (see `heap.ts`).
 */
const youngMiB = 12;

/** The same for a process, where V8 takes flags: several collect on cores of their own, and none needs helpers. */
const processFlags = ['--single-threaded-gc', '--max-semi-space-size=4'];

/** In this process, with an event loop and a heap of its own. */
export function spawnThread(name: string): Spawned {
  const worker = new Worker(programBeside(import.meta.url), {
    name,
    // With what this process has put there for it: see bin/postern.js.
    env: { ...process.env },
    resourceLimits: { maxYoungGenerationSizeMb: youngMiB },
  });
  worker.once('online', goAfterChecks);
  let broken: unknown = null;
  worker.on('error', (error) => {
    broken = error;
  });
  return {
    port: threadPort(worker),
    ended: new Promise((resolve) => worker.once('exit', (code) => resolve(broken ?? `exit ${code}`))),
    kill: () => void worker.terminate(),
  };
}

/** A process of its own, which is handed its connections. */
export function spawnProcess(name: string): Spawned {
  const child = fork(programBeside(import.meta.url), [name], {
    serialization: 'advanced',
    execArgv: [...process.execArgv, ...processFlags],
    env: process.env,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const port = processPort(child);
  let broken: unknown = null;
  child.on('error', (error) => {
    broken = error;
  });
  const ended = new Promise<unknown>((resolve) => {
    child.once('exit', (code, signal) => resolve(broken ?? signal ?? `exit ${code}`));
    // One that could not be started does not exit.
    child.once('error', (error) => child.pid === undefined && resolve(error));
  });
  return { port, ended, hand: port.hand, kill: () => void child.kill('SIGKILL') };
}

/** A source beside sources, compiled beside what is compiled. */
function programBeside(url: string): URL {
  return new URL(url.replace(/spawn(\.[jt]s)$/, 'check-worker$1'));
}
