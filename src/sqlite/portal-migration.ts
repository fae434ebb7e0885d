import type { Migration } from './migration.ts';

/** The sessions by which customers look at the console. */
export const portalSessions: Migration = {
  // Older versions know nothing of it.
  readerMin: 2,
  statements: `
  CREATE TABLE portal_sessions (
    id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, purge_at INTEGER NOT NULL, record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX portal_sessions_by_purge_at ON portal_sessions (purge_at);
  `,
};
