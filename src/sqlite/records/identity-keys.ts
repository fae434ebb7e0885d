import type { DatabaseSync } from 'node:sqlite';
import type { IdentityKeyRecord } from '../../store/records/identity-keys.ts';

/** The table of the keys of identity tokens. Throws SQLite's errors. */
export interface IdentityKeyTable {
  list(): IdentityKeyRecord[];
  add(record: IdentityKeyRecord): boolean;
  removeBefore(generation: number): void;
}

export function createIdentityKeyTable(database: DatabaseSync): IdentityKeyTable {
  const list = database.prepare('SELECT * FROM identity_keys ORDER BY generation');
  const add = database.prepare(
    `INSERT INTO identity_keys (generation, private_key, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
  );
  const remove = database.prepare('DELETE FROM identity_keys WHERE generation < ?');
  return {
    list: () =>
      list.all().map((row) => ({
        generation: Number(row.generation),
        privateKey: String(row.private_key),
        createdAt: Number(row.created_at),
      })),
    add: ({ generation, privateKey, createdAt }) => add.run(generation, privateKey, createdAt).changes === 1,
    removeBefore(generation) {
      remove.run(generation);
    },
  };
}
