import { Counter, type Registry } from 'prom-client';

/** Counts requests that the log of requests has no row for. */
export function countLeftOut(registers: Registry[]): (requests: number) => void {
  const counter = new Counter({
    name: 'postern_requests_left_out_total',
    help: 'Requests that are not in the request log: it had no room for them, or too many came at once that are all different.',
    registers,
  });
  return (requests) => counter.inc(requests);
}
