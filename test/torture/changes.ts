import type { Random } from '../../bench/common/random.ts';
import type { ChangeRecord } from './checks/history.ts';
import type { Key, Witness } from './checks/witness.ts';
import type { Fleet, Replica } from './fleet.ts';
import type { Load } from './load.ts';
import { passed } from './pace.ts';
import { instantOf } from './scenarios.ts';

/**
 * Keys that are made, disabled, enabled and revoked, owners that are suspended, and roles that are narrowed and removed,
 * through any service process.
 */
export interface Changes {
  /** Every key that was made. */
  readonly made: readonly Key[];
  revocations(): number;
  /** Ends when every change that was begun has been answered for certain. */
  stop(): Promise<void>;
}

export interface ChangesOptions {
  /** Made at once, each of something else. */
  readonly workers: number;
  readonly liveMin: number;
  readonly owners: number;
  readonly roles: number;
}

/** After a change has come into effect it is looked at so often, at growing intervals. */
const looks = 3;

export function startChanges(
  fleet: Fleet,
  witness: Witness,
  random: Random,
  load: Load,
  options: ChangesOptions,
): Changes {
  const made: Key[] = [];
  const owners = Array.from({ length: options.owners }, (_, index) => `owner-${index}`);
  /** Those of which it is known what they give. */
  const roles: string[] = [];
  let rolesMade = 0;
  /** What is being changed: nothing is changed by two at once. */
  const busy = new Set<string>();
  const looking = new Set<Promise<unknown>>();
  let revoked = 0;
  let isOver = false;

  async function work(): Promise<void> {
    while (!isOver) {
      const kind = random.below(100);
      if (load.live.size < options.liveMin || kind < 40) await make();
      else if (kind < 80) await onKey(revoke);
      else if (kind < 90) await onKey(disableForAWhile);
      else if (kind < 95) await onIdle(owners, suspendForAWhile);
      else if (roles.length < options.roles) await makeRole();
      else await onIdle(roles, narrowForAWhile);
      await passed(1);
    }
  }

  async function make(): Promise<void> {
    const kind = random.below(4);
    const owner = kind === 0 ? owners[random.below(owners.length)] : undefined;
    const role = kind === 1 ? roles[random.below(roles.length)] : undefined;
    const wanted = { ...(owner !== undefined && { owner }), ...(role !== undefined && { role }) };
    const key = await witness.create(running(), wanted);
    if (key === undefined) return;
    made.push(key);
    load.live.set(key.id, key);
    look([key]);
  }

  async function onKey(change: (key: Key) => Promise<void>): Promise<void> {
    const idle = [...load.live.values()].filter(({ id }) => !busy.has(id));
    const key = idle[random.below(idle.length)];
    if (key === undefined) return;
    busy.add(key.id);
    await change(key);
    busy.delete(key.id);
  }

  async function onIdle(ids: readonly string[], change: (id: string) => Promise<void>): Promise<void> {
    const idle = ids.filter((id) => !busy.has(id));
    const id = idle[random.below(idle.length)];
    if (id === undefined) return;
    busy.add(id);
    await change(id);
    busy.delete(id);
  }

  async function makeRole(): Promise<void> {
    const role = `role-${rolesMade++}`;
    const { outcome } = await witness.change(running(), 'widen', role);
    if (outcome === 'done') roles.push(role);
  }

  async function revoke(key: Key): Promise<void> {
    const answer = await untilDone('revoke', key.id, [key]);
    if (answer.outcome === 'done') revoked++;
    load.bury(key);
  }

  /** What is not known to be enabled again is revoked: then it is known what it is. */
  async function disableForAWhile(key: Key): Promise<void> {
    const disabled = await witness.change(running(), 'disable', key.id);
    if (disabled.outcome === 'done') lookWhenInEffect(disabled, [key]);
    await passed(random.below(200));
    const enabled = disabled.outcome === 'done' && (await witness.change(running(), 'enable', key.id));
    if (enabled === false || enabled.outcome !== 'done') await revoke(key);
  }

  async function suspendForAWhile(owner: string): Promise<void> {
    const keys = [...load.live.values()].filter((key) => key.owner === owner);
    await untilDone('suspend', owner, keys);
    await passed(random.below(200));
    await untilDone('resume', owner, []);
  }

  /** One of which it is not known what it gives is left alone: another is made in its place. */
  async function narrowForAWhile(role: string): Promise<void> {
    const keys = [...load.live.values()].filter((key) => key.role === role);
    const taking = random.below(2) === 0 ? 'narrow' : 'remove';
    const taken = await witness.change(running(), taking, role);
    if (taken.outcome === 'done') lookWhenInEffect(taken, keys);
    await passed(random.below(200));
    const given = taken.outcome === 'done' && (await witness.change(running(), 'widen', role));
    if (given === false || given.outcome !== 'done') roles.splice(roles.indexOf(role), 1);
  }

  async function untilDone(
    operation: 'revoke' | 'suspend' | 'resume',
    subject: string,
    keys: readonly Key[],
  ): Promise<ChangeRecord> {
    for (;;) {
      const answer = await witness.change(running(), operation, subject);
      if (answer.outcome === 'done' && keys.length > 0) lookWhenInEffect(answer, keys);
      if (answer.outcome !== 'unknown') return answer;
      await passed(100);
    }
  }

  /** Every service process is asked as soon as it must not let the keys in, and some time later. */
  function lookWhenInEffect(change: ChangeRecord, keys: readonly Key[]): void {
    const late = async () => {
      for (let waitMs = instantOf(change) - witness.now() + 3, times = 0; times < looks; times++) {
        if (waitMs > 0) await passed(waitMs);
        await ask(keys);
        waitMs = 20 * 8 ** times;
      }
    };
    track(ask(keys).then(late));
  }

  function look(keys: readonly Key[]): void {
    track(ask(keys));
  }

  async function ask(keys: readonly Key[]): Promise<void> {
    await Promise.all(keys.flatMap((key) => fleet.doors.map((door) => witness.check(door, key, 6_000))));
  }

  function track(work: Promise<unknown>): void {
    looking.add(work);
    void work.finally(() => looking.delete(work));
  }

  function running(): Replica {
    const running = fleet.replicas.filter((replica) => replica.current() !== null);
    const replica = running[random.below(running.length)] ?? fleet.replicas[0];
    if (replica === undefined) throw new Error('a fleet has replicas');
    return replica;
  }

  const working = Array.from({ length: options.workers }, work);
  return {
    made,
    revocations: () => revoked,
    async stop() {
      isOver = true;
      await Promise.all(working);
      await Promise.all(looking);
    },
  };
}
