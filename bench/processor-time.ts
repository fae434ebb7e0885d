import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What the scheduler says of a process and all below it, in nanoseconds since each thread's start. */
export interface ProcessorTime {
  readonly ranNs: number;
  /** Ready to run, with the core given to something else. */
  readonly waitedNs: number;
}

/** What all cores did, in nanoseconds since the machine's start. */
export interface MachineTime {
  /** Ran something, interrupts included. */
  readonly busyNs: number;
  /** Had something to run and were not given to this machine by the one that it is a guest of. */
  readonly stolenNs: number;
}

/** All of several processes together. */
export function readProcessorTime(...pids: readonly number[]): ProcessorTime {
  const times = pids.map(readOne);
  return {
    ranNs: times.reduce((sum, { ranNs }) => sum + ranNs, 0),
    waitedNs: times.reduce((sum, { waitedNs }) => sum + waitedNs, 0),
  };
}

/**
 * Sums every thread's `/proc/PID/task/TID/schedstat`, which counts nanoseconds where `stat` counts ticks of
 * 10 ms. A thread that ends between two readings takes its count along; servers here keep theirs.
 */
function readOne(pid: number): ProcessorTime {
  let ranNs = 0;
  let waitedNs = 0;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const at = `/proc/${pid}/task/${task}`;
    const [ran = 0, waited = 0] = readFileSync(`${at}/schedstat`, 'latin1').split(' ').map(Number);
    ranNs += ran;
    waitedNs += waited;
    for (const child of readFileSync(`${at}/children`, 'latin1').split(' ').filter(Boolean)) {
      const below = readOne(Number(child));
      ranNs += below.ranNs;
      waitedNs += below.waitedNs;
    }
  }
  return { ranNs, waitedNs };
}

export function since(earlier: ProcessorTime, later: ProcessorTime): ProcessorTime {
  return { ranNs: later.ranNs - earlier.ranNs, waitedNs: later.waitedNs - earlier.waitedNs };
}

/** `/proc/stat` counts in USER_HZ, which is 100 on every Linux that Node runs on. */
const tickNs = 10_000_000;

export function readMachineTime(): MachineTime {
  return machineTimeOf(readFileSync('/proc/stat', 'latin1'));
}

/** Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal. */
export function machineTimeOf(stat: string): MachineTime {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(' ').map(Number) ?? [];
  return { busyNs: (user + nice + system + irq + softirq) * tickNs, stolenNs: steal * tickNs };
}

export function machineSince(earlier: MachineTime, later: MachineTime): MachineTime {
  return { busyNs: later.busyNs - earlier.busyNs, stolenNs: later.stolenNs - earlier.stolenNs };
}

/** The memory of a process alone that is in RAM, in bytes. */
export function readResidentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kibibytes ?? 0) * 1024;
}

/** The cores that this process may use, by number. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** Keeps a process, all its threads and those to come on one core; false where that cannot be done. */
export function pin(pid: number, core: number): boolean {
  return spawnSync('taskset', ['-a', '-c', '-p', String(core), String(pid)]).status === 0;
}
