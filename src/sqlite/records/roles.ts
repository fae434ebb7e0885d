import type { DatabaseSync } from 'node:sqlite';
import type { RoleRecord } from '../../keys/role.ts';
import { BadRecord } from '../../store/store.ts';
import type { Parameters, Row } from '../statements.ts';
import { readPage } from './pages.ts';
import { createVersionedRows, jsonIn } from './versioned.ts';

/** The table of roles: what the store's contract says of each operation, synchronously. Throws SQLite's errors. */
export interface RoleTable {
  get(id: string): RoleRecord | null;
  list(page: { readonly after: string | null; readonly size: number }): RoleRecord[];
  put(record: RoleRecord, ifVersion: number): boolean;
  delete(id: string, ifVersion: number): boolean;
}

export function createRoleTable(
  database: DatabaseSync,
  onBadRecord: (id: string, error: BadRecord) => void,
): RoleTable {
  const list = database.prepare('SELECT * FROM roles WHERE id > :after ORDER BY id LIMIT :size');
  const rows = createVersionedRows(database, 'roles', [
    'description',
    'permissions',
    'created_at',
    'updated_at',
  ]);
  const remove = database.prepare('DELETE FROM roles WHERE id = :id AND version = :if_version');

  return {
    get(id) {
      const row = rows.get(id);
      return row && fromRow(row);
    },
    list: ({ after, size }) =>
      readPage(size, {
        rows: (last, left) => list.all({ after: String(last?.id ?? after ?? ''), size: left }),
        read: fromRow,
        onBadRecord: (row, error) => onBadRecord(String(row.id), error),
      }),
    put: (record, ifVersion) => rows.put(toRow(record), ifVersion),
    delete: (id, ifVersion) => remove.run({ id, if_version: ifVersion }).changes > 0,
  };
}

function toRow(record: RoleRecord): Parameters {
  return {
    id: record.id,
    description: record.description,
    permissions: JSON.stringify(record.permissions),
    created_at: record.createdAt,
    updated_at: record.updatedAt,
    version: record.version,
  };
}

/** The table is STRICT: each column has the type that it was made with. Throws `BadRecord` for what is no list. */
function fromRow(row: Row): RoleRecord {
  return {
    id: String(row.id),
    description: row.description as string | null,
    permissions: permissionsOf(row),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    version: Number(row.version),
  };
}

function permissionsOf({ id, permissions }: Row): string[] {
  const list = jsonIn(permissions);
  if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list;
  throw new BadRecord(String(id), 'permissions', 'a role');
}
