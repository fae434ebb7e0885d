import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Outcome } from '../client/answer.ts';
import type { Kind } from '../common/kinds.ts';

export const peerNames = ['postern', 'go', 'tonic', 'pajamax', 'opa'] as const;
export type PeerName = (typeof peerNames)[number];

/** A server under measurement, up and answering on loopback. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** The Envoy in front of it, which `port` then is of; null where Checks go to it straight. */
  readonly proxyPid: number | null;
  /** What it is asked: Checks over gRPC, or requests of callers. */
  readonly protocol: 'check' | 'edge';
  /** The kind that it is asked where Postern is asked this one: its own denial where it would allow. */
  presents(kind: Kind): Kind;
  /** What a right answer to a kind of Check is; null for a kind that it cannot be asked. */
  answer(kind: Kind): Outcome | null;
  /** What an answer that allows has to hold; null for anything. */
  readonly mention: string | null;
  /** Lookups that its memory could not answer, since the start; null for a peer that does not count them. */
  misses(): Promise<number | null>;
  /** Resolves once it reads no more keys into memory by itself. */
  settled(): Promise<void>;
  /** All that it wrote to standard output and standard error. */
  output(): string;
  stop(): Promise<void>;
  /** Of a Postern, what else it can be asked; null for any other. */
  readonly service: PosternService | null;
}

/** A Postern's other listeners, and what it reads. */
export interface PosternService {
  /** Of the HTTP listener. */
  readonly url: string;
  readonly adminKey: string;
  readonly settingsFile: string;
}

/** A port on loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A child whose output goes to a file, so that nobody spends time on it while it is measured. */
export interface Child {
  readonly process: ChildProcess;
  readonly output: () => string;
  stop(): Promise<void>;
}

const stopMs = 5000;

export interface ChildOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** The file that standard output and standard error go to. */
  readonly log: string;
}

export function startChild(command: string, args: readonly string[], options: ChildOptions): Child {
  const log = openSync(options.log, 'w');
  const child = spawn(command, args, { ...options, stdio: ['ignore', log, log] });
  closeSync(log);
  // However this process ends, nothing is left running.
  const kill = () => void child.kill('SIGKILL');
  // Before whoever removes the files that it writes.
  process.prependOnceListener('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  // Without a process id it is seen not to have started.
  child.on('error', () => {});
  return {
    process: child,
    output: () => readFileSync(options.log, 'utf8'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), stopMs);
      await exited;
      clearTimeout(late);
    },
  };
}

/** Polls until `isUp` says so. Rejects, with the child's output, when it ends or `timeoutMs` have passed. */
export async function untilUp(child: Child, isUp: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isUp().catch(() => false))) {
    const ended = child.process.exitCode !== null || child.process.pid === undefined;
    if (!ended && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      continue;
    }
    await child.stop();
    throw new Error(`${child.process.spawnfile} ${ended ? 'ended' : 'did not start'}:\n${child.output()}`);
  }
}
