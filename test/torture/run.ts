import { createRandom, type Random } from '../../bench/common/random.ts';
import { until } from '../real/until.ts';
import { startChanges } from './changes.ts';
import { judge, type Violation } from './checks/checker.ts';
import type { HistoryRecord } from './checks/history.ts';
import { createWitness, type Key, type Witness } from './checks/witness.ts';
import { startFaults } from './faults.ts';
import { type Fleet, startFleet, startSqliteFleet } from './fleet.ts';
import { startLoad } from './load.ts';
import { narrowRole } from './narrowed-role.ts';
import { passed } from './pace.ts';
import { measurePropagation, type Propagation } from './propagation.ts';

export interface RunOptions {
  readonly seed: number;
  /** What the services are on; default MongoDB, three services on three members. SQLite: one service. */
  readonly store?: 'mongodb' | 'sqlite';
  /** Of each service, that answer Checks; default 1. */
  readonly processes?: number;
  /** It ends when so many keys were revoked, or … */
  readonly revocations: number;
  /** … when so much time has passed. */
  readonly msMax: number;
  readonly stalenessMaxMs: number;
  /** Revocations in the healthy fleet whose way is timed; before the faults. */
  readonly timed: number;
  /** Under load, before the first change and the first fault. */
  readonly calmMs: number;
  /** The folder whose Postern is run; default this repository. */
  readonly root?: string;
  readonly onRecord?: (record: HistoryRecord) => void;
  /** Called about once a second. */
  readonly onProgress?: (progress: { readonly revocations: number; readonly ms: number }) => void;
}

export interface RunResult {
  readonly records: readonly HistoryRecord[];
  readonly violations: readonly Violation[];
  readonly revocations: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly propagation: Propagation;
  readonly ms: number;
}

const electionTimeoutMs = 1_500;
const limit = { limit: 100, windowMs: 1_000 };
const readersAtOnce = 16;

/** One random run: a fleet under load and changes, faults that come and go, and the judgement of its history. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, stalenessMaxMs, timed, root, onRecord } = options;
  const began = performance.now();
  const random = createRandom(seed);
  const { store = 'mongodb', processes = 1 } = options;
  const services = { stalenessMaxMs, processes, ...(root !== undefined && { root }) };
  const fleet = await (store === 'sqlite'
    ? startSqliteFleet(services)
    : startFleet({ ...services, electionTimeoutMs }));
  const witness = createWitness({ seed, stalenessMaxMs, ...(onRecord && { onRecord }) });
  try {
    const propagation = await measurePropagation(fleet, witness, timed);
    const limited = await witness.create(anyReplica(fleet, random), { limit });
    const load = startLoad(fleet, witness, random, { streams: 4, pauseMs: 8, limited });
    // Windows in which all of the limit is to be given out, by a machine that has nothing else to do.
    await passed(options.calmMs);
    await narrowRole(fleet, witness, load);
    const changes = startChanges(fleet, witness, random, load, {
      ...{ workers: 20, liveMin: 40, owners: 4, roles: 4 },
    });
    // On a busy machine little comes about between faults: what shows that changes are made is made before.
    await until('a key is revoked', () => changes.revocations() > 0, { everyMs: 100 });
    const faults = startFaults(fleet, witness, random, stalenessMaxMs);
    const end = performance.now() + options.msMax;
    await until(
      'enough keys are revoked',
      () => {
        options.onProgress?.({ revocations: changes.revocations(), ms: performance.now() - began });
        return changes.revocations() >= options.revocations || performance.now() > end;
      },
      { deadlineMs: options.msMax + 150_000, everyMs: 1_000 },
    );
    await faults.stop();
    await changes.stop();
    await load.stop();
    await letInEverywhere(fleet, witness);
    await readBack(fleet, witness, random, changes.made);
    const { records } = witness;
    return {
      ...{ records, violations: judge(records), propagation, faults: faults.done },
      revocations: changes.revocations(),
      ms: performance.now() - began,
    };
  } finally {
    witness.close();
    await fleet.stop();
  }
}

/** The fleet recovers by itself: a new key is allowed by all. */
async function letInEverywhere(fleet: Fleet, witness: Witness): Promise<void> {
  const [maker] = fleet.replicas;
  if (maker === undefined) throw new Error('a fleet has replicas');
  const key = await until('a key is made', () => witness.create(maker));
  for (const replica of fleet.doors) {
    const isLetIn = async () => (await witness.check(replica, key)).verdict === 'allowed';
    await until(`${replica.name} is well again`, isLetIn, { everyMs: 100 });
  }
}

/** Every key is read, each through one service process. */
async function readBack(fleet: Fleet, witness: Witness, random: Random, keys: readonly Key[]): Promise<void> {
  const left = [...keys];
  const readers = Array.from({ length: readersAtOnce }, async () => {
    for (let key = left.pop(); key !== undefined; key = left.pop()) {
      const wanted = key;
      await until('the key is read', () => witness.state(anyReplica(fleet, random), wanted));
    }
  });
  await Promise.all(readers);
}

function anyReplica(fleet: Fleet, random: Random) {
  const replica = fleet.replicas[random.below(fleet.replicas.length)];
  if (replica === undefined) throw new Error('a fleet has replicas');
  return replica;
}
