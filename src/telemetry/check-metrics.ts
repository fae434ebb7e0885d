import { Counter, Gauge, type Registry } from 'prom-client';
import { type CheckSnapshot, checkBuckets, sumSnapshots } from './check-telemetry.ts';
import { CountedHistogram } from './counted-histogram.ts';
import type { MisconfiguredCounts } from './misconfigured-routes.ts';

/** Metrics of what is counted where Checks are answered; they show what the returned function was given last. */
export function addChecks(registry: Registry): (snapshot: CheckSnapshot) => void {
  const registers = [registry];
  let shown = sumSnapshots([]);
  new Counter({
    name: 'postern_checks_total',
    help: 'Checks answered, by decision, reason of a denial and scheme.',
    labelNames: ['decision', 'reason', 'scheme'],
    registers,
    collect() {
      this.reset();
      for (const { count, ...labels } of shown.checks) this.inc(labels, count);
    },
  });
  new Counter({
    name: 'postern_limit_denials_total',
    help: 'Checks denied as rate_limited, by the name of the limit of a plan; without one for limits of keys themselves.',
    labelNames: ['limit'],
    registers,
    collect() {
      this.reset();
      for (const [limit, count] of shown.limited) this.inc({ limit }, count);
    },
  });
  new CountedHistogram(() => shown.durations, {
    name: 'postern_check_duration_seconds',
    help: 'Time from a Check received to its answer.',
    bounds: checkBuckets,
    registers,
  });
  new Counter({
    name: 'postern_cache_lookups_total',
    help: 'Lookups in memory: a key (hit), a key known not to exist (miss), or neither (load).',
    labelNames: ['result'],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(shown.lookups)) if (count > 0) this.inc({ result }, count);
    },
  });
  new Gauge({
    name: 'postern_cache_entries',
    help: 'What memory holds: keys, digests known to belong to no key, and owners.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const [kind, count] of Object.entries(shown.entries)) this.set({ kind }, count);
    },
  });
  addMisconfigured(registry, () => shown.misconfigured);
  addConnections(registry, () => shown.connections);
  return (snapshot) => {
    shown = snapshot;
  };
}

/** What becomes of the connections that Checks come by, a series for every reason from the start. */
function addConnections(registry: Registry, shown: () => CheckSnapshot['connections']): void {
  const registers = [registry];
  new Gauge({
    name: 'postern_check_connections',
    help: 'Connections of the listener for Checks that are open.',
    registers,
    collect() {
      this.set(shown().open);
    },
  });
  new Counter({
    name: 'postern_check_connections_closed_total',
    help: 'Connections of the listener for Checks that were closed, by why.',
    labelNames: ['why'],
    registers,
    collect() {
      this.reset();
      for (const [why, count] of Object.entries(shown().closed)) this.inc({ why }, count);
    },
  });
  new Counter({
    name: 'postern_check_calls_refused_total',
    help: 'Calls to the listener for Checks that went past a bound, by which.',
    labelNames: ['why'],
    registers,
    collect() {
      this.reset();
      for (const [why, count] of Object.entries(shown().refused)) this.inc({ why }, count);
    },
  });
}

/** Shows what was counted, a series for every member from the start. */
function addMisconfigured(registry: Registry, shown: () => MisconfiguredCounts): void {
  new Counter({
    name: 'postern_misconfigured_checks_total',
    help: 'Checks of routes whose context_extensions cannot be read, by the member that is wrong; answered as unavailable.',
    labelNames: ['member'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [member, count] of Object.entries(shown())) this.inc({ member }, count);
    },
  });
}
