import type { DatabaseSync } from 'node:sqlite';
import { type PortalSessionRecord, portalPurgeAt } from '../../keys/portal-session.ts';
import { checkedPortalSession } from '../../store/records/checked-portal-session.ts';
import { BadRecord } from '../../store/store.ts';
import type { Row } from '../statements.ts';
import { createVersionedRows, jsonIn } from './versioned.ts';

/** The table of portal sessions, synchronously. Throws SQLite's errors. */
export interface PortalSessionTable {
  get(id: string): PortalSessionRecord | null;
  put(record: PortalSessionRecord, ifVersion: number): boolean;
  /** Removes at most `size` that nobody needs any more at that time; says how many. */
  purge(now: number, size: number): number;
}

export function createPortalSessionTable(database: DatabaseSync): PortalSessionTable {
  const rows = createVersionedRows(database, 'portal_sessions', ['purge_at', 'record']);
  const purge = database.prepare(
    `DELETE FROM portal_sessions WHERE id IN
       (SELECT id FROM portal_sessions WHERE purge_at <= :now ORDER BY purge_at LIMIT :size)`,
  );

  return {
    get(id) {
      const row = rows.get(id);
      return row && fromRow(row);
    },
    put({ id, version, ...rest }, ifVersion) {
      const record = { id, version, ...rest };
      const row = { id, version, purge_at: portalPurgeAt(record), record: JSON.stringify(rest) };
      return rows.put(row, ifVersion);
    },
    purge: (now, size) => Number(purge.run({ now, size }).changes),
  };
}

/** Throws `BadRecord` where the row is no portal session. */
function fromRow({ id, version, record }: Row): PortalSessionRecord {
  const rest = parsed(String(id), record);
  return checkedPortalSession({
    ...{ id, version, owner: rest.owner, permissions: rest.permissions, returnUrl: rest.returnUrl },
    ...{ tokenDigest: rest.tokenDigest, createdAt: rest.createdAt, openUntil: rest.openUntil },
    ...{ openedAt: rest.openedAt, expiresAt: rest.expiresAt, endedAt: rest.endedAt },
  });
}

function parsed(id: string, record: unknown): Readonly<Record<string, unknown>> {
  const rest = jsonIn(record);
  if (typeof rest === 'object' && rest !== null) return rest as Record<string, unknown>;
  throw new BadRecord(id, 'record', 'a portal session');
}
