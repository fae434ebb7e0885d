import { Counter, collectDefaultMetrics, Gauge, type Registry } from 'prom-client';
import type { ConnectionCounts } from './connection-counts.ts';

/** A listener with TLS, and until when its certificate is valid. */
export interface CertificateEnd {
  readonly listener: string;
  /** Unix milliseconds. */
  readonly validTo: number;
}

/** What becomes of the connections that Checks come by, a series for every reason from the start. */
export function addConnections(registry: Registry, counts: ConnectionCounts): void {
  const registers = [registry];
  new Gauge({
    name: 'postern_check_connections',
    help: 'Connections of the listener for Checks that are open.',
    registers,
    collect() {
      this.set(counts.open);
    },
  });
  new Counter({
    name: 'postern_check_connections_closed_total',
    help: 'Connections of the listener for Checks that were closed, by why.',
    labelNames: ['why'],
    registers,
    collect() {
      this.reset();
      for (const [why, count] of Object.entries(counts.closed)) this.inc({ why }, count);
    },
  });
  new Counter({
    name: 'postern_check_calls_refused_total',
    help: 'Calls to the listener for Checks that went past a bound, by which.',
    labelNames: ['why'],
    registers,
    collect() {
      this.reset();
      for (const [why, count] of Object.entries(counts.refused)) this.inc({ why }, count);
    },
  });
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
  collectDefaultMetrics({ register: registry });
}
