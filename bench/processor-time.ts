import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What the scheduler says of a process and all below it, in nanoseconds since each thread's start. */
export interface ProcessorTime {
  readonly ranNs: number;
  /** Ready to run, with the core given to something else. */
  readonly waitedNs: number;
}

/**
 * Sums every thread's `/proc/PID/task/TID/schedstat`, which counts nanoseconds where `stat` counts ticks of
 * 10 ms. A thread that ends between two readings takes its count along; servers here keep theirs.
 */
export function readProcessorTime(pid: number): ProcessorTime {
  let ranNs = 0;
  let waitedNs = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const at = `/proc/${pid}/task/${task}`;
    const [ran = 0, waited = 0] = readFileSync(`${at}/schedstat`, 'latin1').split(' ').map(Number);
    ranNs += ran;
    waitedNs += waited;
    for (const child of readFileSync(`${at}/children`, 'latin1').split(' ').filter(Boolean)) {
      const below = readProcessorTime(Number(child));
      ranNs += below.ranNs;
      waitedNs += below.waitedNs;
    }
  }
  return { ranNs, waitedNs };
}

export function since(earlier: ProcessorTime, later: ProcessorTime): ProcessorTime {
  return { ranNs: later.ranNs - earlier.ranNs, waitedNs: later.waitedNs - earlier.waitedNs };
}

/** The cores that this process may use, by number. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** Keeps a process, all its threads and those to come on one core; false where that can not be done. */
export function pin(pid: number, core: number): boolean {
  return spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]).status === 0;
}
