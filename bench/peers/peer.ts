import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A server under measurement, up and answering Checks on loopback. */
export interface Peer {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Lookups that its memory could not answer, since the start; null for a peer that does not count them. */
  misses(): Promise<number | null>;
  stop(): Promise<void>;
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

/** A child whose output is kept, and shown only if it does not start or ends too early. */
export interface Child {
  readonly process: ChildProcess;
  readonly output: () => string;
  stop(): Promise<void>;
}

const outputMax = 16_384;
const stopMs = 5000;

export function startChild(command: string, args: readonly string[], options: SpawnOptions): Child {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (bytes: Buffer) => {
    output = (output + bytes.toString()).slice(-outputMax);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  child.on('error', (cause) => keep(Buffer.from(String(cause))));
  return {
    process: child,
    output: () => output,
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
