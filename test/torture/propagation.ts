import { until } from '../real/until.ts';
import type { Key, Witness } from './checks/witness.ts';
import type { Fleet, Replica } from './fleet.ts';
import { passed } from './pace.ts';

/** Milliseconds, one for each revocation in a healthy fleet, in order of size. */
export interface Propagation {
  /** From the request to revoke to its answer. */
  readonly answered: readonly number[];
  /** From the request to the last replica's first denial. */
  readonly everywhere: readonly number[];
  /** From the first denial of all, which cannot come before the commit, to the last replica's first denial. */
  readonly spread: readonly number[];
}

/** Revokes keys one by one while every replica is asked for each about every millisecond. */
export async function measurePropagation(
  fleet: Fleet,
  witness: Witness,
  count: number,
): Promise<Propagation> {
  const [answered, everywhere, spread]: [number[], number[], number[]] = [[], [], []];
  for (let index = 0; index < count; index++) {
    const by = fleet.replicas[index % fleet.replicas.length];
    if (by === undefined) break;
    const key = await until('a key is made', () => witness.create(by));
    for (const door of fleet.doors) await untilVerdict(witness, door, key, 'allowed');
    const denials = fleet.doors.map((door) => untilVerdict(witness, door, key, 'denied'));
    const { begin, end } = await until('the key is revoked', async () => {
      const answer = await witness.change(by, 'revoke', key.id);
      return answer.outcome === 'done' && answer;
    });
    const denied = await Promise.all(denials);
    answered.push(end - begin);
    everywhere.push(Math.max(...denied) - begin);
    spread.push(Math.max(...denied) - Math.min(...denied));
  }
  const inOrder = (values: readonly number[]) => values.toSorted((one, other) => one - other);
  return { answered: inOrder(answered), everywhere: inOrder(everywhere), spread: inOrder(spread) };
}

async function untilVerdict(
  witness: Witness,
  replica: Replica,
  key: Key,
  wanted: 'allowed' | 'denied',
): Promise<number> {
  for (;;) {
    const { verdict, end } = await witness.check(replica, key);
    if (verdict === wanted) return end;
    // Without it the asking itself would make everything late.
    await passed(1);
  }
}
