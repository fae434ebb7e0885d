import type { Logger } from 'pino';
import { contextMembers, type Misconfigured } from '../check/context.ts';

/** Checks of routes that say of themselves what cannot be read, by the member that is wrong. */
export type MisconfiguredCounts = Readonly<Record<Misconfigured['member'], number>>;

/** None of any yet; to be added to. */
export function noMisconfigured(): Record<Misconfigured['member'], number> {
  const members = [...contextMembers, 'unknown'] as const;
  return Object.fromEntries(members.map((member) => [member, 0])) as Record<Misconfigured['member'], number>;
}

const everyMs = 60_000;
/** Different problems that one line tells. */
const problemsMax = 10;

/** Logs a line at once, then one a minute with all since the last: every request of such a route is one. */
export function createMisconfiguredLog(
  log: Pick<Logger, 'error'>,
  monotonic: () => number,
): (misconfigured: Misconfigured) => void {
  let loggedAt = Number.NEGATIVE_INFINITY;
  let checks = 0;
  const problems = new Set<string>();
  return ({ problem }) => {
    checks++;
    if (problems.size < problemsMax) problems.add(problem);
    const at = monotonic();
    if (at - loggedAt < everyMs) return;
    const fields = { misconfigured: [...problems], checks };
    log.error(fields, 'what a route says of itself in context_extensions cannot be read: it allows no one');
    loggedAt = at;
    checks = 0;
    problems.clear();
  };
}
