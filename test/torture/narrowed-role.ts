import { until } from '../real/until.ts';
import type { Key, Witness } from './checks/witness.ts';
import type { Fleet, Replica } from './fleet.ts';
import type { Load } from './load.ts';

const patience = { everyMs: 50 };

/** Under load, while nothing is broken: a role loses what a key holds by it, and is removed, through one service process. */
export async function narrowRole(fleet: Fleet, witness: Witness, load: Load): Promise<void> {
  const [by] = fleet.replicas;
  if (by === undefined) throw new Error('a fleet has replicas');
  const role = 'role-of-one';
  await change(witness, by, 'widen', role);
  const key = await until('a key with a role is made', () => witness.create(by, { role }), patience);
  load.live.set(key.id, key);
  await everywhere(fleet, witness, key, 'allowed');
  for (const taking of ['narrow', 'remove'] as const) {
    await change(witness, by, taking, role);
    await everywhere(fleet, witness, key, 'permission_denied');
    await change(witness, by, 'widen', role);
    await everywhere(fleet, witness, key, 'allowed');
  }
}

/** Until it is answered for certain. */
async function change(
  witness: Witness,
  by: Replica,
  operation: 'widen' | 'narrow' | 'remove',
  role: string,
): Promise<void> {
  const isAnswered = async () => (await witness.change(by, operation, role)).outcome !== 'unknown';
  await until(`the ${operation} of a role is answered`, isAnswered, patience);
}

async function everywhere(fleet: Fleet, witness: Witness, key: Key, wanted: string): Promise<void> {
  const isSo = async (door: Replica) => {
    const { verdict, reason } = await witness.check(door, key);
    return verdict === wanted || reason === wanted;
  };
  await Promise.all(
    fleet.doors.map((door) => until(`${door.name} says ${wanted}`, () => isSo(door), patience)),
  );
}
