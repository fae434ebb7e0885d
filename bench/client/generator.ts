import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadSetup, Phase, PhaseResult } from './load.ts';

/** The load generator, in a process of its own so that its processor time is its own too. */
export interface Generator {
  readonly pid: number;
  /** Says what the phases after it present. */
  prepare(setup: LoadSetup): Promise<void>;
  run(phase: Phase): Promise<PhaseResult>;
  stop(): Promise<void>;
}

export async function startGenerator(): Promise<Generator> {
  const child = fork(fileURLToPath(new URL('load.ts', import.meta.url)));
  const exited = once(child, 'exit');
  const died = exited.then(() => Promise.reject(new Error('the load generator ended')));
  died.catch(() => {});
  const ask = async (message: LoadSetup | Phase) => {
    child.send(message);
    const [answer] = await Promise.race([once(child, 'message'), died]);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  };
  return {
    pid: child.pid ?? 0,
    prepare: ask,
    run: ask,
    async stop() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
