import type { Random } from '../../bench/common/random.ts';
import { descendants } from '../real/processes.ts';
import type { Witness } from './checks/witness.ts';
import type { Fleet, FleetMember, Replica } from './fleet.ts';
import { passed } from './pace.ts';

export interface Faults {
  /** How often each was done. */
  readonly done: ReadonlyMap<string, number>;
  /** Ends the fault that is on, and when the fleet is whole. */
  stop(): Promise<void>;
}

interface FaultContext {
  readonly fleet: Fleet;
  readonly random: Random;
  readonly stalenessMaxMs: number;
}

/** Breaks something; what it returns is called to mend it. */
type Fault<Target> = (target: Target, context: FaultContext) => Promise<() => Promise<void>>;

const replicaFaults: Readonly<Record<string, Fault<Replica>>> = {
  async stopped(replica) {
    const postern = replica.postern();
    await postern.kill('SIGSTOP');
    return () => postern.kill('SIGCONT');
  },
  async killed(replica) {
    await replica.kill();
    return () => replica.start();
  },
  async 'cut off'(replica, { fleet }) {
    return cutting(
      fleet,
      fleet.members.map((member) => [replica.name, member.name]),
      'hold',
    );
  },
  async 'cut off from one member'(replica, { fleet, random }) {
    const [member] = pick(fleet.members, random);
    return cutting(fleet, [[replica.name, member.name]], random.below(2) === 0 ? 'hold' : 'reset');
  },
  async 'deaf to changes'(replica, { fleet }) {
    fleet.network.stallStream(replica.name);
    return async () => fleet.network.resumeStream(replica.name);
  },
};

/** Those that need no network between the services and their store. */
const loneReplicaFaults = { stopped: replicaFaults.stopped, killed: replicaFaults.killed } as Readonly<
  Record<string, Fault<Replica>>
>;

/** Of one of a service's processes that answer Checks, where there are several. */
const workerFaults: Readonly<Record<string, Fault<Replica>>> = {
  async stopped(replica, { random }) {
    const pid = await workerOf(replica, random);
    signal(pid, 'SIGSTOP');
    return async () => signal(pid, 'SIGCONT');
  },
  async killed(replica, { random }) {
    signal(await workerOf(replica, random), 'SIGKILL');
    return async () => {};
  },
};

/** None where the service is not there, or they have not started yet. */
async function workerOf(replica: Replica, random: Random): Promise<number | undefined> {
  const postern = replica.current();
  const workers = postern === null ? [] : await descendants(postern.pid);
  return workers[random.below(workers.length)]?.pid;
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    // It has ended meanwhile, with its service.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

const memberFaults: Readonly<Record<string, Fault<FleetMember>>> = {
  async killed(member) {
    await member.kill('SIGKILL');
    return () => member.restart();
  },
  async stopped(member) {
    await member.kill('SIGSTOP');
    return () => member.kill('SIGCONT');
  },
  async 'made to step down'(member) {
    await member.command({ replSetStepDown: 2, secondaryCatchUpPeriodSecs: 1, force: true }).catch(() => {});
    return async () => {};
  },
  async 'cut off from the others'(member, { fleet, random }) {
    const others = fleet.members.filter((other) => other !== member);
    return cutting(
      fleet,
      others.map(({ name }) => [name, member.name]),
      random.below(2) === 0 ? 'hold' : 'reset',
    );
  },
  async 'cut off from the others but for one service process'(member, { fleet, random }) {
    const [misled, ...rest] = pick(fleet.replicas, random);
    const others = fleet.members.filter((other) => other !== member);
    return cutting(
      fleet,
      [
        ...others.map(({ name }): Pair => [name, member.name]),
        ...others.map(({ name }): Pair => [misled.name, name]),
        ...rest.map(({ name }): Pair => [name, member.name]),
      ],
      'reset',
    );
  },
};

/** Breaks service processes and members of the replica set, one of each at a time, each for a random while. */
export function startFaults(fleet: Fleet, witness: Witness, random: Random, stalenessMaxMs: number): Faults {
  const done = new Map<string, number>();
  const context = { fleet, random, stalenessMaxMs };
  let isOver = false;

  async function keepBreaking<Target extends { readonly name: string }>(
    kind: string,
    faults: Readonly<Record<string, Fault<Target>>>,
    target: () => Promise<Target>,
  ): Promise<void> {
    while (!isOver) {
      await passed(300 + random.below(stalenessMaxMs));
      if (isOver) return;
      const [[name, fault]] = pick(Object.entries(faults), random);
      const broken = await target();
      const end = witness.fault(`${broken.name} is ${name}`);
      const mend = await fault(broken, context);
      const what = `${kind} ${name}`;
      done.set(what, (done.get(what) ?? 0) + 1);
      // Half of them outlast a lease.
      await passed(random.below(2 * stalenessMaxMs));
      await mend();
      end();
    }
  }

  const isLone = fleet.members.length === 0;
  const anyReplica = async () => pick(fleet.replicas, random)[0];
  const breaking = [
    keepBreaking('a service process', isLone ? loneReplicaFaults : replicaFaults, anyReplica),
  ];
  if (!isLone) {
    const member = async () => (random.below(4) === 0 ? pick(fleet.members, random)[0] : fleet.primary());
    breaking.push(keepBreaking('a member', memberFaults, member));
  }
  if (fleet.processes > 1) breaking.push(keepBreaking('a process for Checks', workerFaults, anyReplica));
  return {
    done,
    async stop() {
      isOver = true;
      await Promise.all(breaking);
      fleet.network.healAll();
    },
  };
}

type Pair = readonly [one: string, other: string];

function cutting(fleet: Fleet, pairs: readonly Pair[], how: 'hold' | 'reset'): () => Promise<void> {
  for (const [one, other] of pairs) fleet.network.cut(one, other, how);
  return async () => {
    for (const [one, other] of pairs) fleet.network.heal(one, other);
  };
}

/** The same in a random order: one, and the others. */
function pick<T>(from: readonly T[], random: Random): [T, ...T[]] {
  const at = random.below(from.length);
  const [one, ...rest] = [...from.slice(at), ...from.slice(0, at)];
  if (one === undefined) throw new Error('nothing to pick from');
  return [one, ...rest];
}
