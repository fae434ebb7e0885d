import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { KeyId, KeyRecord } from '../key.ts';
import type { Digest } from '../secret.ts';
import { BadRecord, type KeyFilter } from '../store.ts';
import { fromRow, listQuery, type Row, recordColumns, toRow } from './records.ts';
import { inTransaction } from './transaction.ts';

/** The table of keys: what the store's contract says of each operation, synchronously. Throws SQLite's errors. */
export interface KeyTable {
  find(digests: readonly Digest[]): KeyRecord | null;
  get(id: KeyId): KeyRecord | null;
  getByRequest(requestKey: string): KeyRecord | null;
  list(filter: KeyFilter, page: { readonly before: KeyId | null; readonly size: number }): KeyRecord[];
  insert(record: KeyRecord, retentionMs: number): void;
  insertFirst(record: KeyRecord, retentionMs: number): boolean;
  replace(record: KeyRecord, ifVersion: number, retentionMs: number): boolean;
  /** Removes at most `size` records whose time to be purged has come, and names them. */
  purge(now: number, size: number): KeyId[];
}

export function createKeyTable(
  database: DatabaseSync,
  onBadRecord: (id: string, error: BadRecord) => void,
): KeyTable {
  const statements = prepareStatements(database);
  const lists = new Map<string, StatementSync>();

  /** One statement for each combination of filters that is asked for. */
  function listStatement(sql: string): StatementSync {
    const known = lists.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    lists.set(sql, statement);
    return statement;
  }

  function insert(record: KeyRecord, retentionMs: number): void {
    statements.insert.run({ ...toRow(record, retentionMs), last_used_at: record.lastUsedAt });
  }

  return {
    find(digests) {
      for (const digest of digests) {
        const row = statements.find.get({ digest });
        if (row !== undefined) return fromRow(row);
      }
      return null;
    },
    get(id) {
      const row = statements.get.get({ id });
      return row === undefined ? null : fromRow(row);
    },
    getByRequest(requestKey) {
      const row = statements.getByRequest.get({ request_key: requestKey });
      return row === undefined ? null : fromRow(row);
    },
    list(filter, page) {
      const found: KeyRecord[] = [];
      let { before } = page;
      // A record that can not be read must not make a page short: a short page is the last one.
      while (found.length < page.size) {
        const size = page.size - found.length;
        const { sql, parameters } = listQuery(filter, { before, size });
        const rows = listStatement(sql).all(parameters);
        found.push(...readable(rows, onBadRecord));
        if (rows.length < size) break;
        before = String(rows.at(-1)?.id) as KeyId;
      }
      return found;
    },
    insert,
    insertFirst: (record, retentionMs) =>
      inTransaction(database, () => {
        if (statements.markFirst.run({ id: record.id }).changes === 0) return false;
        insert(record, retentionMs);
        return true;
      }),
    replace(record, ifVersion, retentionMs) {
      const { changes } = statements.replace.run({ ...toRow(record, retentionMs), if_version: ifVersion });
      return changes > 0;
    },
    purge: (now, size) => statements.purge.all({ now, size }).map((row) => String(row.id) as KeyId),
  };
}

function prepareStatements(database: DatabaseSync) {
  return {
    find: database.prepare(`SELECT ${recordColumns} FROM keys WHERE digest = :digest`),
    get: database.prepare(`SELECT ${recordColumns} FROM keys WHERE id = :id`),
    getByRequest: database.prepare(`SELECT ${recordColumns} FROM keys WHERE request_key = :request_key`),
    insert: database.prepare(
      `INSERT INTO keys (id, digest, request_key, version, scheme, environment, owner, name_folded, last_used_at,
         expires_at, disabled_at, revoked_at, purge_at, record)
       VALUES (:id, :digest, :request_key, :version, :scheme, :environment, :owner, :name_folded, :last_used_at,
         :expires_at, :disabled_at, :revoked_at, :purge_at, :record)`,
    ),
    replace: database.prepare(
      `UPDATE keys SET digest = :digest, request_key = :request_key, version = :version, scheme = :scheme, environment = :environment,
         owner = :owner, name_folded = :name_folded, expires_at = :expires_at, disabled_at = :disabled_at,
         revoked_at = :revoked_at, purge_at = :purge_at, record = :record
       WHERE id = :id AND version = :if_version`,
    ),
    // The mark outlives the key.
    markFirst: database.prepare("INSERT OR IGNORE INTO meta (name, value) VALUES ('first_key', :id)"),
    purge: database.prepare(
      `DELETE FROM keys WHERE id IN
         (SELECT id FROM keys WHERE purge_at <= :now ORDER BY purge_at LIMIT :size) RETURNING id`,
    ),
  };
}

function readable(rows: readonly Row[], onBadRecord: (id: string, error: BadRecord) => void): KeyRecord[] {
  return rows.flatMap((row) => {
    try {
      return fromRow(row);
    } catch (error) {
      if (!(error instanceof BadRecord)) throw error;
      onBadRecord(String(row.id), error);
      return [];
    }
  });
}
