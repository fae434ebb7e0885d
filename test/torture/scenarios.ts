import { until } from '../real/until.ts';
import type { ChangeRecord, CheckRecord } from './checks/history.ts';
import type { Key, Witness } from './checks/witness.ts';
import type { Fleet, FleetMember, Replica } from './fleet.ts';

/**
 * What happens to a fleet, one trouble at a time. Each leaves the fleet whole, and its history with the
 * witness; what it returns is for those who look closer.
 */
export type Scenario<Facts = unknown> = (fleet: Fleet, witness: Witness) => Promise<Facts>;

/** A service process is stopped for longer than its lease, and goes on. */
export const stoppedReplica = async (fleet: Fleet, witness: Witness) => {
  const [stopped, other] = replicasOf(fleet);
  const [one, two, kept] = await knownKeys(fleet, witness, 3);
  const end = witness.fault(`${stopped.name} is stopped`);
  await stopped.postern().kill('SIGSTOP');
  try {
    const first = await witness.change(other, 'revoke', one.id);
    // They are answered when it goes on: from memory, if it has not looked at the time.
    const waiting = [witness.check(stopped, one, 20_000), witness.check(stopped, two, 20_000)];
    await until('its lease has run out', () => witness.now() > instantOf(first));
    const second = await witness.change(other, 'revoke', two.id);
    const late = [witness.check(stopped, one, 20_000), witness.check(stopped, two, 20_000)];
    await stopped.postern().kill('SIGCONT');
    end();
    const answers = await Promise.all([...waiting, ...late]);
    answers.push(await witness.check(stopped, one), await witness.check(stopped, two));
    await letsIn(witness, stopped, kept);
    return { first, second, answers, after: await denial(witness, stopped, one) };
  } finally {
    await stopped.postern().kill('SIGCONT');
  }
};

/** A service process loses MongoDB, and finds it again. */
export const cutOffReplica = async (fleet: Fleet, witness: Witness) => {
  const [lonely, other] = replicasOf(fleet);
  const [revoked, kept] = await knownKeys(fleet, witness, 2);
  const end = witness.fault(`${lonely.name} is cut off`);
  const cutAt = witness.now();
  fleet.cutOff(lonely);
  const { now } = witness;
  const asking = keepAsking(witness, lonely, () => [revoked, kept]);
  const revocation = await witness.change(other, 'revoke', revoked.id);
  await until('all leases have run out', () => now() > instantOf(revocation) + 500);
  const checks = await asking.stop();
  fleet.network.healAll();
  end();
  await letsIn(witness, lonely, kept);
  const after = await denial(witness, lonely, revoked);
  return { cutAt, revocation, after, ofKept: checks.filter(({ key }) => key === kept.id), checks };
};

/**
 * The primary is cut off from the other members, and does not know it yet; one service process talks to it
 * alone. Wants an election timeout that is longer than all of it.
 */
export const oldPrimary = async (fleet: Fleet, witness: Witness) => {
  const [misled, other] = replicasOf(fleet);
  const [revoked, kept, toggled] = await knownKeys(fleet, witness, 3);
  const cold = await makeKeys(witness, other, 40);
  await witness.change(other, 'disable', toggled.id);
  const old = await fleet.primary();
  const end = mislead(fleet, witness, old);
  const electedIn = elect(fleet, old);
  // A key of which the old primary can know nothing, and one after another that only it has been asked for.
  const made: Key[] = [];
  let next = 0;
  const asking = keepAsking(witness, misled, () => [
    ...[revoked, kept, ...made].slice(0, 3),
    ...cold.slice(next, ++next),
  ]);
  await electedIn;
  const young = await untilMade(witness, other);
  made.push(young);
  // What the old primary shows would have it disabled still, and nothing to be done.
  await witness.change(other, 'enable', toggled.id);
  const believed = witness.change(misled, 'disable', toggled.id);
  const shown = witness.state(misled, young);
  const gone = [revoked, ...cold];
  const revocations = await Promise.all(gone.map((key) => witness.change(other, 'revoke', key.id)));
  // Of one that was not answered nobody knows when.
  const effectiveAt = Math.max(...revocations.map(instantOf).filter(Number.isFinite));
  await until('all revocations are in effect', () => witness.now() > effectiveAt + 1_000);
  const stillPrimary = (await old.command({ hello: 1 })).isWritablePrimary === true;
  const checks = await asking.stop();
  fleet.network.healAll();
  end();
  await letsIn(witness, misled, kept);
  const after = await denial(witness, misled, revoked);
  const isDisabled = (await believed).outcome;
  await shown;
  for (const replica of fleet.replicas) await witness.check(replica, toggled);
  return { effectiveAt, checks, stillPrimary, after, isDisabled, made: made.map(({ id }) => id) };
};

/** The primary is cut off from the other members alone: everybody else reaches both it and the new one. */
export const twoPrimaries = async (fleet: Fleet, witness: Witness) => {
  const replicas = replicasOf(fleet);
  const [revoked, kept] = await knownKeys(fleet, witness, 2);
  const old = await fleet.primary();
  const end = witness.fault(`${old.name} is cut off from the other members`);
  fleet.isolate(old);
  await elect(fleet, old);
  const asking = replicas.map((replica) => keepAsking(witness, replica, () => [revoked, kept]));
  const [, other] = replicas;
  const revocation = await until('revoked', async () => {
    const done = await witness.change(other, 'revoke', revoked.id);
    return done.outcome === 'done' ? done : undefined;
  });
  await until('it is in effect', () => witness.now() > instantOf(revocation) + 500);
  await Promise.all(asking.map((one) => one.stop()));
  const began = witness.now();
  for (const replica of replicas) await letsIn(witness, replica, kept);
  const recoveryMs = witness.now() - began;
  fleet.network.healAll();
  end();
  return { revocation, recoveryMs };
};

/** A service process hears of no change, while it reads and writes as ever. */
export const stalledStream = async (fleet: Fleet, witness: Witness) => {
  const [deaf, other] = replicasOf(fleet);
  const [revoked, kept] = await knownKeys(fleet, witness, 2);
  const end = witness.fault(`the change stream of ${deaf.name} is held`);
  fleet.network.stallStream(deaf.name);
  const asking = keepAsking(witness, deaf, () => [revoked, kept]);
  const revocation = await witness.change(other, 'revoke', revoked.id);
  // It finds nothing to do, as does one whose first answer was lost; it has not heard of the change itself.
  const again = await witness.change(deaf, 'revoke', revoked.id);
  await until('it is in effect', () => witness.now() > instantOf(again) + 500);
  const checks = await asking.stop();
  fleet.network.healAll();
  end();
  await letsIn(witness, deaf, kept);
  return { revocation, again, checks };
};

/** A service process that all others have ceased to wait for comes back, and then hears of no change. */
export const returnedReplica = async (fleet: Fleet, witness: Witness) => {
  const [returned, other, third] = replicasOf(fleet);
  const [revoked, kept] = await knownKeys(fleet, witness, 2);
  const [first, second] = (await makeKeys(witness, other, 2)) as [Key, Key];
  const end = witness.fault(`${returned.name} is cut off, comes back, and its change stream is held`);
  fleet.cutOff(returned);
  const named = await witness.change(other, 'revoke', first.id);
  const leaseMs = instantOf(named) - named.begin;
  const countedOut = await until('it is not waited for', async () => {
    const done = await witness.change(other, 'revoke', second.id);
    return done.unconfirmed?.length === 0 && done;
  });
  // Another process has not watched it itself.
  const onThird = await witness.change(third, 'revoke', second.id);
  fleet.network.healAll();
  await letsIn(witness, returned, kept);
  await letsIn(witness, returned, revoked);
  const backAt = witness.now();
  await until('it has renewed its lease', () => witness.now() > backAt + leaseMs);
  await letsIn(witness, returned, revoked);
  fleet.network.stallStream(returned.name);
  const asking = keepAsking(witness, returned, () => [revoked, kept]);
  const revocation = await witness.change(other, 'revoke', revoked.id);
  await until('it is in effect', () => witness.now() > instantOf(revocation) + 500);
  const checks = await asking.stop();
  fleet.network.healAll();
  end();
  await letsIn(witness, returned, kept);
  return { countedOut, onThird, revocation, checks };
};

/** The primary is killed under load. Wants a staleness bound that is longer than an election takes. */
export const killedPrimary = async (fleet: Fleet, witness: Witness) => {
  const replicas = replicasOf(fleet);
  const known = await knownKeys(fleet, witness, 4);
  const cold = await makeKeys(witness, replicas[1], 100);
  const primary = await fleet.primary();
  const end = witness.fault(`${primary.name} is killed`);
  let next = 0;
  const asking = replicas.map((replica) =>
    keepAsking(witness, replica, () => [...known, ...cold.slice(next, ++next)]),
  );
  const killedAt = witness.now();
  await primary.kill('SIGKILL');
  const made = await untilMade(witness, replicas[1]);
  const electedIn = witness.now();
  await until('load for a while', () => witness.now() > electedIn + 1_000);
  const checks = (await Promise.all(asking.map((one) => one.stop()))).flat();
  for (const replica of replicas) {
    for (const key of [...known, ...cold, made]) await letsIn(witness, replica, key);
  }
  await primary.restart();
  end();
  const ids = new Set(known.map(({ id }) => id));
  return { checks, killedAt, ofKnown: checks.filter(({ key }) => ids.has(key)) };
};

const callersPerKey = 20;

/** A service process finds MongoDB again while many callers wait for each of a few keys. */
export const recovery = async (fleet: Fleet, witness: Witness) => {
  const [lonely] = replicasOf(fleet);
  const keys = await knownKeys(fleet, witness, 10);
  const end = witness.fault(`${lonely.name} is cut off`);
  fleet.cutOff(lonely);
  const [one] = keys;
  await until('its lease has run out', async () => (await witness.check(lonely, one)).verdict !== 'allowed');
  const callers = keys.flatMap((key) =>
    Array.from({ length: callersPerKey }, () => letsIn(witness, lonely, key)),
  );
  const before = await keyReads(lonely);
  fleet.network.healAll();
  await Promise.all(callers);
  end();
  return { keys: keys.length, callers: callers.length, reads: (await keyReads(lonely)) - before };
};

/** Cuts the primary off from everybody but the first service process, and that one from everybody else. */
export function mislead(fleet: Fleet, witness: Witness, old: FleetMember): () => void {
  const [misled, other, third] = replicasOf(fleet);
  const rest = fleet.members.filter((member) => member !== old);
  const end = witness.fault(`${old.name} is cut off, and talks to ${misled.name}`);
  fleet.isolate(old);
  fleet.cutOff(misled, rest);
  for (const replica of [other, third]) fleet.network.cut(replica.name, old.name, 'reset');
  return end;
}

export function replicasOf({ replicas }: Fleet): [Replica, Replica, Replica] {
  const [one, two, three] = replicas;
  if (one === undefined || two === undefined || three === undefined) throw new Error('too few replicas');
  return [one, two, three];
}

export async function makeKeys(witness: Witness, by: Replica, count: number): Promise<[Key, Key, ...Key[]]> {
  const keys: Key[] = [];
  // Changes that wait at once are committed together.
  while (keys.length < count) {
    const missing = Math.min(20, count - keys.length);
    keys.push(...(await Promise.all(Array.from({ length: missing }, () => untilMade(witness, by)))));
  }
  return keys as [Key, Key, ...Key[]];
}

/** Keys that every replica has in memory. */
async function knownKeys(fleet: Fleet, witness: Witness, count: number): Promise<[Key, Key, Key, ...Key[]]> {
  const [, by] = replicasOf(fleet);
  const keys = await makeKeys(witness, by, count);
  for (const replica of fleet.replicas) for (const key of keys) await remembers(witness, replica, key);
  return keys as [Key, Key, Key, ...Key[]];
}

/** Allowed from memory, which a replica that stood still before may use only once it holds a lease again. */
export async function remembers(witness: Witness, replica: Replica, key: Key): Promise<void> {
  const answersFromMemory = async () => {
    const before = await keyReads(replica);
    const { verdict } = await witness.check(replica, key);
    return verdict === 'allowed' && (await keyReads(replica)) === before;
  };
  await until(`${replica.name} answers for ${key.id} from memory`, answersFromMemory);
}

async function untilMade(witness: Witness, by: Replica): Promise<Key> {
  const what = () => `${by.name} makes a key\n${lastLines(by.postern().log())}`;
  return until(what, () => witness.create(by));
}

export async function letsIn(witness: Witness, replica: Replica, key: Key): Promise<void> {
  const isLetIn = async () => (await witness.check(replica, key)).verdict === 'allowed';
  await until(`${replica.name} lets ${key.id} in`, isLetIn);
}

/** The reason why a key is not allowed, once it is not for want of MongoDB. */
export async function denial(witness: Witness, replica: Replica, key: Key): Promise<string> {
  return until(`${replica.name} denies ${key.id}`, async () => {
    const { verdict, reason } = await witness.check(replica, key);
    return verdict === 'denied' && reason;
  });
}

/** Asks for these keys in turn, each as soon as the one before was answered, until it is stopped. */
function keepAsking(witness: Witness, replica: Replica, keys: () => readonly Key[]) {
  const checks: CheckRecord[] = [];
  let isOver = false;
  const asking = until(
    'stopped',
    async () => {
      for (const key of keys()) checks.push(await witness.check(replica, key));
      return isOver;
    },
    { deadlineMs: 300_000, everyMs: 10 },
  );
  return {
    async stop() {
      isOver = true;
      await asking;
      return checks;
    },
  };
}

/** Has another member elected at once, however long the election timeout is. */
export async function elect(fleet: Fleet, old: FleetMember): Promise<void> {
  const [next] = fleet.members.filter((member) => member !== old);
  await until(
    'another member is primary',
    async () => {
      if ((await next?.command({ hello: 1 }))?.isWritablePrimary) return true;
      await next?.command({ replSetStepUp: 1 }).catch(() => {});
      return undefined;
    },
    { everyMs: 50 },
  );
}

/** When a change is in effect, by the witness's clock. */
export function instantOf({ end, effectiveAt, wallOffset }: ChangeRecord): number {
  return effectiveAt === undefined ? Number.NaN : Math.max(end, effectiveAt - wallOffset);
}

function lastLines(log: string): string {
  return log.trimEnd().split('\n').slice(-20).join('\n');
}

async function keyReads(replica: Replica): Promise<number> {
  const metrics = await (await fetch(`${replica.postern().url}/metrics`)).text();
  const line = /^postern_store_operation_duration_seconds_count\{operation="find_key"\} (\d+)$/m.exec(
    metrics,
  );
  return Number(line?.[1] ?? 0);
}
