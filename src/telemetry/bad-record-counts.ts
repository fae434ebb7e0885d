import { Counter, type Registry } from 'prom-client';

/** Stored records that could not be read, counted each time that the store came upon one. */
export function countBadRecords(registers: Registry[]): () => void {
  const reads = new Counter({
    name: 'postern_bad_records_total',
    help: 'Stored records of keys, owners or the audit log that were read and could not be understood.',
    registers,
  });
  return () => reads.inc();
}
