/** Bounds how often an address may fail to sign in; see {@link createAttempts}. */
export interface Attempts {
  isRefused(address: string): boolean;
  fail(address: string): void;
}

const windowMs = 60_000;
const failuresMax = 20;
const addressesMax = 10_000;

/** 20 failures in each minute from one address. Past 10 000 addresses, those that are new count as one. */
export function createAttempts(now: () => number): Attempts {
  const failures = new Map<string, number>();
  let window = 0;
  const slotOf = (address: string) => {
    const current = Math.floor(now() / windowMs);
    if (current !== window) failures.clear();
    window = current;
    return failures.has(address) || failures.size < addressesMax ? address : '';
  };

  return {
    isRefused: (address) => (failures.get(slotOf(address)) ?? 0) >= failuresMax,
    fail(address) {
      const slot = slotOf(address);
      failures.set(slot, (failures.get(slot) ?? 0) + 1);
    },
  };
}

/** Seconds until a refused address may try again, at the latest. */
export const retrySeconds = windowMs / 1_000;
