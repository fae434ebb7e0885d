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

/** `/proc` counts in USER_HZ, which is 100 on every Linux that Node runs on. */
const tickNs = 10_000_000;

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
 * 10 ms, and adds what the process as a whole ran besides, in threads that have ended. What ends while it is read
 * is left out.
 */
function readOne(pid: number): ProcessorTime {
  let ranNs = 0;
  let waitedNs = 0;
  let below: ProcessorTime = { ranNs: 0, waitedNs: 0 };
  for (const task of entriesOf(`/proc/${pid}/task`)) {
    const at = `/proc/${pid}/task/${task}`;
    const [ran = 0, waited = 0] = textOf(`${at}/schedstat`).split(' ').map(Number);
    ranNs += ran;
    waitedNs += waited;
    for (const child of textOf(`${at}/children`).split(' ').filter(Boolean)) {
      const { ranNs: ranBelow, waitedNs: waitedBelow } = readOne(Number(child));
      below = { ranNs: below.ranNs + ranBelow, waitedNs: below.waitedNs + waitedBelow };
    }
  }
  const endedNs = endedThreadsNs(textOf(`/proc/${pid}/stat`), ranNs);
  return { ranNs: ranNs + endedNs + below.ranNs, waitedNs: waitedNs + below.waitedNs };
}

/** What a process ran, by its `stat`, beside its threads that live; nothing where that is within the ticks' rounding. */
export function endedThreadsNs(stat: string, livingNs: number): number {
  // utime and stime.
  const fields = fieldsOf(stat);
  const ns = (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * tickNs;
  return ns - livingNs > 2 * tickNs ? ns - livingNs : 0;
}

/** What the children of this process ran that have ended and were waited for. */
export function readEndedChildrenNs(): number {
  return endedChildrenNs(textOf('/proc/self/stat'));
}

/** Of a process by its `stat`: cutime and cstime. */
export function endedChildrenNs(stat: string): number {
  const fields = fieldsOf(stat);
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * tickNs;
}

/** What follows the name, which stands in brackets and may hold anything, spaces too. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

export function since(earlier: ProcessorTime, later: ProcessorTime): ProcessorTime {
  return { ranNs: later.ranNs - earlier.ranNs, waitedNs: later.waitedNs - earlier.waitedNs };
}

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

/** What is in RAM of a process and all below it, in bytes; what they share is in each. */
export function readResidentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB/m.exec(textOf(`/proc/${pid}/status`))?.[1];
  const children = entriesOf(`/proc/${pid}/task`).flatMap((task) =>
    textOf(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean),
  );
  const below = children.reduce((sum, child) => sum + readResidentBytes(Number(child)), 0);
  return Number(kibibytes ?? 0) * 1024 + below;
}

/** The cores that this process may use, by number. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/** Keeps a process, all its threads and those to come on one core, or on any again; false where that cannot be done. */
export function pin(pid: number, core: number | 'all'): boolean {
  const cores = core === 'all' ? startCores.join(',') : String(core);
  return spawnSync('taskset', ['-a', '-c', '-p', cores, String(pid)]).status === 0;
}

/** Before this process was kept on any. */
const startCores = allowedCores();
