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
  collectDefaultMetrics({ register: registry });
}
