import { Counter, type Registry } from 'prom-client';
import type { HolderDependencies } from '../admin/holder/holder.ts';

/** Counts calls that keys make for themselves. */
export function createHolderCounts(registers: Registry[]): HolderDependencies['count'] {
  const counter = new Counter({
    name: 'postern_holder_calls_total',
    help: 'Calls that keys make for themselves: ok, why a key was denied, or the code of a refusal.',
    ...{ labelNames: ['operation', 'result'], registers },
  });
  return (operation, result) => counter.inc({ operation, result });
}
