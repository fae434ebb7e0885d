import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client';

/** A listener with TLS, and until when its certificate is valid. */
export interface CertificateEnd {
  readonly listener: string;
  /** Unix milliseconds. */
  readonly validTo: number;
}

/** Until when the certificates that are in use are valid, those that were read again included. */
export function addCertificates(registry: Registry, ends: () => readonly CertificateEnd[]): void {
  new Gauge({
    name: 'postern_tls_certificate_expiry_seconds',
    help: 'When the certificate of a listener expires, Unix seconds; no series for a listener without TLS.',
    labelNames: ['listener'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { listener, validTo } of ends()) this.set({ listener }, validTo / 1_000);
    },
  });
}

/** Node's own: the lag of the event loop, the heap, garbage collection, processor time, as prom-client names them. */
export function addProcess(registry: Registry): void {
  // Its own watch of the event loop would wake this thread a hundred times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: neverMs });
  const delays = monitorEventLoopDelay({ resolution: lookEveryMs });
  delays.enable();
  addLag(registry, delays);
}

/** An hour. */
const neverMs = 3_600_000;
/** How often it is looked whether the event loop is late: where nothing else is done, that is all that wakes it. */
const lookEveryMs = 50;

/** What Node's histogram says of the delays between two looks, in nanoseconds. */
export type LoopDelays = Pick<
  ReturnType<typeof monitorEventLoopDelay>,
  'count' | 'min' | 'max' | 'mean' | 'stddev' | 'percentile' | 'reset'
>;

type Lag = readonly [name: string, ns: (delays: LoopDelays) => number, isLateness: boolean];

const lags: readonly Lag[] = [
  ['min', ({ min }) => min, true],
  ['max', ({ max }) => max, true],
  ['mean', ({ mean }) => mean, true],
  ['stddev', ({ stddev }) => stddev, false],
  ['p50', (delays) => delays.percentile(50), true],
  ['p90', (delays) => delays.percentile(90), true],
  ['p99', (delays) => delays.percentile(99), true],
];

/** How late the event loop was since the last scrape: what went by between two looks, less what should have. */
export function addLag(registry: Registry, delays: LoopDelays): void {
  const gauges: Gauge[] = [];
  for (const [name] of lags) {
    const full = `nodejs_eventloop_lag_${name}_seconds`;
    registry.removeSingleMetric(full);
    const help = `How late the event loop was since the last scrape: ${name}.`;
    // The first sets all.
    const collect = gauges.length === 0 ? { collect: setAll } : {};
    gauges.push(new Gauge({ name: full, help, registers: [registry], ...collect }));
  }

  function setAll(): void {
    for (const [at, [, ns, isLateness]] of lags.entries()) {
      const seconds = ns(delays) / 1e9 - (isLateness ? lookEveryMs / 1_000 : 0);
      gauges[at]?.set(delays.count === 0 ? 0 : Math.max(0, seconds));
    }
    delays.reset();
  }
}
