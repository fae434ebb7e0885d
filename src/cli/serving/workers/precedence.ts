import { getPriority, setPriority } from 'node:os';

/** How much later than a Check worker this thread comes, of 19. */
const nicenessAfterChecks = 5;
/** The last of all. */
const nicenessMax = 19;
let isAfterChecks = false;

/**
 * Lets the thread that answers Checks go before the one that calls this, where both want the same core: it has a quarter
 * of the core then, and waits. Linux knows each thread's niceness by itself, and a new thread has that of the one that
 * starts it: so this is for when the Check worker runs. (One that replaces it comes as late as this thread, since only
 * who may do anything can go forward again.)
 */
export function goAfterChecks(): void {
  if (isAfterChecks || process.platform !== 'linux') return;
  isAfterChecks = true;
  try {
    setPriority(Math.min(nicenessMax, getPriority() + nicenessAfterChecks));
  } catch {
    // A sandbox that forbids it: they share the core evenly, as others do.
  }
}
