import { Counter, type Registry } from 'prom-client';

/** Counts keys that nobody used for as long as `unused_keys` says. */
export function createUnusedCounts(
  registers: Registry[],
): (what: 'notified' | 'disabled', keys: number) => void {
  const counter = new Counter({
    name: 'postern_unused_keys_total',
    help: 'Keys that nobody used for as long as unused_keys says: notified or disabled.',
    ...{ labelNames: ['result'], registers },
  });
  for (const result of ['notified', 'disabled']) counter.inc({ result }, 0);
  return (result, keys) => counter.inc({ result }, keys);
}
