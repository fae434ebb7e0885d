import type { Random } from '../../bench/common/random.ts';
import { unknownKey } from '../e2e/unknown-key.ts';
import type { Key, Witness } from './checks/witness.ts';
import type { Fleet, Replica } from './fleet.ts';
import { passed } from './pace.ts';

/** Checks that never end, of keys that are good, that are not any more, and that never were. */
export interface Load {
  /** Good keys, and those that may be. */
  readonly live: Map<string, Key>;
  /** The key is no longer good. */
  bury(key: Key): void;
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** Checks that are under way at once on each process that answers them. */
  readonly streams: number;
  /** Between two Checks of a stream. */
  readonly pauseMs: number;
  /** Asked for by as many streams again. */
  readonly limited: Key | undefined;
}

/** Of the keys that were taken away last, so many are asked for. */
const deadMax = 100;
const checkDeadlineMs = 6_000;

export function startLoad(fleet: Fleet, witness: Witness, random: Random, options: LoadOptions): Load {
  const live = new Map<string, Key>();
  const dead: Key[] = [];
  const nobody: Key = { id: 'nobody', text: unknownKey(), owner: null };
  let isOver = false;

  async function ask(replica: Replica, next: () => Key): Promise<void> {
    while (!isOver) {
      await witness.check(replica, next(), checkDeadlineMs);
      await passed(options.pauseMs);
    }
  }

  function someKey(): Key {
    const kind = random.below(100);
    const from = kind < 60 ? [...live.values()] : kind < 98 ? dead : [];
    return from[random.below(from.length)] ?? nobody;
  }

  const { limited } = options;
  const asking = fleet.doors.flatMap((replica) => [
    ...Array.from({ length: options.streams }, () => ask(replica, someKey)),
    ...Array.from({ length: limited === undefined ? 0 : options.streams }, () =>
      ask(replica, () => limited ?? nobody),
    ),
  ]);
  return {
    live,
    bury(key) {
      live.delete(key.id);
      dead.push(key);
      if (dead.length > deadMax) dead.shift();
    },
    async stop() {
      isOver = true;
      await Promise.all(asking);
    },
  };
}
