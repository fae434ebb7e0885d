import { StoreUnavailable } from '../store/store.ts';

/**
 * What the store is asked for keys that nobody made. Whether a digest is a key's shows only in the store's
 * answer, so each read takes a unit of the budget, and gets it back unless it ends in a miss: real keys cost
 * nothing, however many are cold.
 */
export interface MissBudget {
  /** Reads within the budget; rejects with `StoreUnavailable`, and reads nothing, where it is used up. */
  read<T>(address: string, find: () => Promise<T | null>): Promise<T | null>;
}

export interface MissBudgetOptions {
  /** Reads that end in a miss, each second in the long run, and so many at once. */
  readonly readsPerSecond: number;
}

/**
 * On top of the budget, for addresses that have asked for no unknown key lately. Without it a flood would take
 * each unit as it comes, and a cold key would get in by chance alone. Chance alone (say, one read in ten) would
 * bound nothing: a flood ten times as large would be read ten times as often. Whoever floods from ever new
 * addresses takes the reserve too; then all compete for both, and the store is still asked no more than this.
 */
const reservePart = 0.1;
const suspectMs = 10_000;
const suspectsMax = 100_000;

/** `monotonic` is in milliseconds and is never set back. */
export function createMissBudget(monotonic: () => number, options: MissBudgetOptions): MissBudget {
  const { readsPerSecond } = options;
  const budget = createBucket(monotonic, readsPerSecond);
  const reserve = createBucket(monotonic, Math.max(1, Math.floor(readsPerSecond * reservePart)));
  const suspects = createSuspects(monotonic);

  return {
    async read(address, find) {
      const bucket = budget.take() ? budget : !suspects.has(address) && reserve.take() ? reserve : null;
      if (bucket === null) throw new StoreUnavailable('too many keys that nobody made are asked for');
      let isMiss = false;
      try {
        const found = await find();
        isMiss = found === null;
        if (isMiss) suspects.add(address);
        return found;
      } finally {
        if (!isMiss) bucket.giveBack();
      }
    },
  };
}

/** A token bucket that holds what one second brings. */
function createBucket(monotonic: () => number, perSecond: number) {
  let tokens = perSecond;
  let filledAt = monotonic();
  return {
    take(): boolean {
      const at = monotonic();
      tokens = Math.min(perSecond, tokens + ((at - filledAt) * perSecond) / 1_000);
      filledAt = at;
      if (tokens < 1) return false;
      tokens--;
      return true;
    },
    giveBack(): void {
      tokens = Math.min(perSecond, tokens + 1);
    },
  };
}

/** Addresses, each forgotten once it was not added for `suspectMs`, or for up to twice that. */
function createSuspects(monotonic: () => number) {
  let recent = new Set<string>();
  let before = new Set<string>();
  let since = monotonic();

  function turnOver(): void {
    const ageMs = monotonic() - since;
    if (ageMs < suspectMs) return;
    before = ageMs < 2 * suspectMs ? recent : new Set();
    recent = new Set();
    since = monotonic();
  }

  return {
    add(address: string): void {
      turnOver();
      if (recent.size < suspectsMax) recent.add(address);
    },
    has(address: string): boolean {
      turnOver();
      return recent.has(address) || before.has(address);
    },
  };
}
