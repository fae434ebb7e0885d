import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

/**
 * Waits until a process that was sent SIGSTOP stands still. The signal is taken by one of its threads, once that has a
 * core; until then the others go on and may answer what was asked after it was sent.
 */
export async function standingStill(pid: number): Promise<void> {
  if (process.platform !== 'linux') return;
  await until(
    `process ${pid} stands still`,
    () => threadStates(pid).every((state) => !'RSD'.includes(state)),
    {
      everyMs: 2,
    },
  );
}

/** As in `T`, of each thread that there still is; nothing of a process that is gone. */
function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => stateOf(`/proc/${pid}/task/${thread}/stat`));
  } catch {
    return [];
  }
}

function stateOf(file: string): string {
  try {
    // The name before it is in brackets, and may hold any.
    return readFileSync(file, 'utf8').replace(/^.*\) /s, '')[0] ?? 'X';
  } catch {
    return 'X';
  }
}
