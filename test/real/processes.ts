import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Every process below this one. */
export async function descendants(ancestor: number): Promise<Process[]> {
  const all = await processes();
  const below = (pid: number): Process[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...below(child.pid)]);
  return below(ancestor);
}

/** Which of these run still. */
export async function leftOf(started: readonly Process[]): Promise<Process[]> {
  const all = await processes();
  return started.filter((one) => all.some(({ pid, command }) => pid === one.pid && command === one.command));
}

/** All that run. One that has ended and was not waited for yet, state Z, does not. */
async function processes(): Promise<Process[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=,stat=,args=']);
  return stdout.split('\n').flatMap((line): Process[] => {
    const [, pid, parent, command] = /^ *(\d+) +(\d+) +[^Z ]\S* +(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}
