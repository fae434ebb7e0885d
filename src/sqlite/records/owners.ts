import type { DatabaseSync } from 'node:sqlite';
import type { OwnerRecord } from '../../keys/owner.ts';
import { BadRecord } from '../../store/store.ts';
import type { Parameters, Row } from '../statements.ts';
import { createVersionedRows, jsonIn } from './versioned.ts';

/** The table of owners: what the store's contract says of each operation, synchronously. Throws SQLite's errors. */
export interface OwnerTable {
  get(id: string): OwnerRecord | null;
  list(page: { readonly after: string | null; readonly size: number }): OwnerRecord[];
  put(record: OwnerRecord, ifVersion: number): boolean;
}

export function createOwnerTable(database: DatabaseSync): OwnerTable {
  const list = database.prepare('SELECT * FROM owners WHERE id > :after ORDER BY id LIMIT :size');
  const rows = createVersionedRows(database, 'owners', [
    ...['plan', 'active_until', 'suspended', 'created_at', 'updated_at'],
    ...['name', 'contact', 'labels', 'billing_anchor', 'keys_max'],
  ]);

  return {
    get(id) {
      const row = rows.get(id);
      return row && fromRow(row);
    },
    list: ({ after, size }) => list.all({ after: after ?? '', size }).map(fromRow),
    put: (record, ifVersion) => rows.put(toRow(record), ifVersion),
  };
}

function toRow(record: OwnerRecord): Parameters {
  return {
    id: record.id,
    plan: record.plan,
    active_until: record.activeUntil,
    suspended: record.suspended ? 1 : 0,
    created_at: record.createdAt,
    updated_at: record.updatedAt,
    version: record.version,
    name: record.name,
    contact: record.contact,
    labels: JSON.stringify(record.labels),
    billing_anchor: record.billingAnchor,
    keys_max: record.keysMax,
  };
}

/** The table is STRICT: each column has the type that it was made with. */
function fromRow(row: Row): OwnerRecord {
  return {
    id: String(row.id),
    plan: row.plan as string | null,
    activeUntil: row.active_until as number | null,
    suspended: row.suspended !== 0,
    name: row.name as string | null,
    contact: row.contact as string | null,
    labels: labelsOf(row),
    billingAnchor: row.billing_anchor as number | null,
    keysMax: row.keys_max as number | null,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    version: Number(row.version),
  };
}

/** Null in rows of before there were labels. */
function labelsOf({ id, labels }: Row): OwnerRecord['labels'] {
  if (labels === null) return {};
  const read = jsonIn(labels);
  const areTexts = (values: readonly unknown[]) => values.every((value) => typeof value === 'string');
  if (typeof read === 'object' && read !== null && areTexts(Object.values(read))) return { ...read };
  throw new BadRecord(String(id), 'labels', 'an owner');
}
