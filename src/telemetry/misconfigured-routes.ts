import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import { contextMembers, type Misconfigured } from '../check/context.ts';

/** Counts the Checks of routes that say of themselves what cannot be read, by the member that is wrong. */
export function countMisconfigured(registry: Registry): (misconfigured: Misconfigured) => void {
  const counter = new Counter({
    name: 'postern_misconfigured_checks_total',
    help: 'Checks of routes whose context_extensions cannot be read, by the member that is wrong; answered as unavailable.',
    labelNames: ['member'],
    registers: [registry],
  });
  for (const member of [...contextMembers, 'unknown'] as const) counter.inc({ member }, 0);
  return ({ member }) => counter.inc({ member });
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
