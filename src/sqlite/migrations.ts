import { identityKeysStep, requestLogStep, requestRowsStep } from './added-tables.ts';
import { foldNames } from './fold-names.ts';
import type { Migration } from './migration.ts';
import { portalSessions } from './portal-migration.ts';
import { revivals } from './revivals.ts';
import { searchStep } from './search-migration.ts';
import { usageSumsStep } from './usage/sum-migration.ts';
import { useLogStep } from './usage/use-log.ts';

/**
 * Step n brings a database from version n to n + 1. Steps are only ever added: what is released has
 * run on somebody's disk.
 */
export const migrations: readonly Migration[] = [
  {
    readerMin: 1,
    statements: `
  CREATE TABLE keys (
    id           TEXT PRIMARY KEY NOT NULL,
    digest       TEXT NOT NULL UNIQUE,
    request_key  TEXT UNIQUE,
    version      INTEGER NOT NULL,
    scheme       TEXT NOT NULL,
    environment  TEXT NOT NULL,
    owner        TEXT,
    name_folded  TEXT NOT NULL,
    last_used_at INTEGER,
    expires_at   INTEGER,
    disabled_at  INTEGER,
    revoked_at   INTEGER,
    purge_at     INTEGER,
    record       TEXT NOT NULL
  ) STRICT;
  CREATE INDEX keys_by_owner ON keys (owner, id);
  CREATE INDEX keys_by_purge_at ON keys (purge_at) WHERE purge_at IS NOT NULL;
  CREATE TABLE owners (
    id           TEXT PRIMARY KEY NOT NULL,
    plan         TEXT,
    active_until INTEGER,
    suspended    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    version      INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE limits (
    spender      TEXT NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    leased       INTEGER NOT NULL,
    PRIMARY KEY (spender, window_start, window_end)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX limits_by_end ON limits (window_end);
  CREATE TABLE usage (
    key          TEXT NOT NULL,
    hour         INTEGER NOT NULL,
    tally        TEXT NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (key, hour)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX usage_by_hour ON usage (hour);
  CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;
  `,
  },
  {
    // The first version writes no journal.
    readerMin: 2,
    statements: `
  CREATE INDEX keys_by_scheme ON keys (scheme, id);
  CREATE INDEX keys_by_environment ON keys (environment, id);
  CREATE INDEX keys_revoked ON keys (id) WHERE revoked_at IS NOT NULL;
  CREATE INDEX keys_disabled ON keys (id) WHERE revoked_at IS NULL AND disabled_at IS NOT NULL;
  CREATE INDEX keys_ending ON keys (id, expires_at)
    WHERE revoked_at IS NULL AND disabled_at IS NULL AND expires_at IS NOT NULL;
  CREATE INDEX keys_by_end ON keys (expires_at, id) WHERE revoked_at IS NULL AND expires_at IS NOT NULL;
  CREATE TABLE permissions (
    permission   TEXT NOT NULL,
    key          TEXT NOT NULL,
    PRIMARY KEY (permission, key)
  ) STRICT, WITHOUT ROWID;
  INSERT OR IGNORE INTO permissions (permission, key)
    SELECT held.value, keys.id
    FROM keys, json_each(CASE WHEN json_valid(record) THEN record ELSE '{}' END, '$.permissions') AS held
    WHERE held.type = 'text';
  CREATE TRIGGER permissions_given AFTER INSERT ON keys BEGIN
    INSERT OR IGNORE INTO permissions (permission, key)
      SELECT value, new.id
      FROM json_each(CASE WHEN json_valid(new.record) THEN new.record ELSE '{}' END, '$.permissions')
      WHERE type = 'text';
  END;
  CREATE TRIGGER permissions_changed AFTER UPDATE OF record ON keys BEGIN
    DELETE FROM permissions WHERE key = new.id AND permission IN
      (SELECT value FROM json_each(CASE WHEN json_valid(old.record) THEN old.record ELSE '{}' END, '$.permissions'));
    INSERT OR IGNORE INTO permissions (permission, key)
      SELECT value, new.id
      FROM json_each(CASE WHEN json_valid(new.record) THEN new.record ELSE '{}' END, '$.permissions')
      WHERE type = 'text';
  END;
  CREATE TABLE journal (
    sequence     INTEGER PRIMARY KEY NOT NULL,
    at           INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    owner        TEXT,
    actor        TEXT,
    action       TEXT NOT NULL,
    target       TEXT,
    outcome      TEXT NOT NULL,
    once         TEXT,
    hash         TEXT NOT NULL,
    body         TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX journal_by_once ON journal (once) WHERE once IS NOT NULL;
  CREATE INDEX journal_by_at ON journal (at);
  CREATE INDEX journal_by_owner ON journal (owner) WHERE owner IS NOT NULL;
  CREATE INDEX journal_by_target ON journal (target) WHERE target IS NOT NULL;
  CREATE INDEX journal_by_actor ON journal (actor) WHERE actor IS NOT NULL;
  CREATE INDEX journal_by_action ON journal (action);
  CREATE INDEX journal_by_outcome ON journal (outcome);
  CREATE INDEX journal_by_kind ON journal (kind);
  CREATE TABLE addresses (
    key          TEXT NOT NULL,
    address      TEXT NOT NULL,
    PRIMARY KEY (key, address)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER keys_removed AFTER DELETE ON keys BEGIN
    DELETE FROM permissions WHERE key = old.id AND permission IN
      (SELECT value FROM json_each(CASE WHEN json_valid(old.record) THEN old.record ELSE '{}' END, '$.permissions'));
    DELETE FROM addresses WHERE key = old.id;
  END;
  CREATE TABLE duties (
    name         TEXT PRIMARY KEY NOT NULL,
    holder       TEXT NOT NULL,
    held_until   INTEGER NOT NULL,
    progress     INTEGER NOT NULL
  ) STRICT;
  `,
  },
  {
    // The second version counts on in `usage`, and sees the last use of a key up to an hour late.
    readerMin: 2,
    statements: `
  CREATE TABLE usage_hours (
    hour         INTEGER NOT NULL,
    key          TEXT NOT NULL,
    allowed      INTEGER NOT NULL,
    last_used_at INTEGER,
    denied       TEXT NOT NULL,
    addresses    TEXT NOT NULL,
    PRIMARY KEY (hour, key)
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    // Older versions fold a name by its lower case alone: what they write is still found so.
    readerMin: 2,
    statements: `
  ALTER TABLE keys ADD COLUMN prefix TEXT
    GENERATED ALWAYS AS (CASE WHEN json_valid(record) THEN record ->> '$.prefix' END) VIRTUAL;
  ALTER TABLE keys ADD COLUMN last4 TEXT
    GENERATED ALWAYS AS (CASE WHEN json_valid(record) THEN record ->> '$.last4' END) VIRTUAL;
  CREATE INDEX keys_by_prefix ON keys (prefix, id);
  `,
    complete: foldNames,
  },
  {
    // Older versions write no such counts, and keep those that are there.
    readerMin: 2,
    statements: `
  ALTER TABLE usage_hours ADD COLUMN observed TEXT NOT NULL DEFAULT '{}';
  `,
  },
  {
    // Older versions leave these columns as they are, and judge a key of several limits by the one in its record.
    readerMin: 2,
    statements: `
  ALTER TABLE keys ADD COLUMN rate_limits TEXT;
  ALTER TABLE owners ADD COLUMN name TEXT;
  ALTER TABLE owners ADD COLUMN contact TEXT;
  ALTER TABLE owners ADD COLUMN labels TEXT;
  ALTER TABLE owners ADD COLUMN billing_anchor INTEGER;
  ALTER TABLE owners ADD COLUMN keys_max INTEGER;
  ALTER TABLE limits ADD COLUMN charged INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE charges (
    id TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, purge_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX charges_by_purge_at ON charges (purge_at);
  `,
  },
  {
    // Older versions know no roles: a key gives there what is its own.
    readerMin: 2,
    statements: `
  CREATE TABLE roles (
    id           TEXT PRIMARY KEY NOT NULL,
    description  TEXT,
    permissions  TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    version      INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE key_roles (
    role         TEXT NOT NULL,
    key          TEXT NOT NULL,
    PRIMARY KEY (role, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER roles_given AFTER INSERT ON keys WHEN ${rolesIn('new')} IS NOT NULL BEGIN
    INSERT OR IGNORE INTO key_roles (role, key) SELECT value, new.id FROM json_each(${rolesIn('new')}) WHERE type = 'text';
  END;
  CREATE TRIGGER roles_changed AFTER UPDATE OF record ON keys
    WHEN ${rolesIn('old')} IS NOT ${rolesIn('new')} BEGIN
    DELETE FROM key_roles WHERE key = new.id AND role IN (SELECT value FROM json_each(${rolesIn('old')}));
    INSERT OR IGNORE INTO key_roles (role, key) SELECT value, new.id FROM json_each(${rolesIn('new')}) WHERE type = 'text';
  END;
  CREATE TRIGGER roles_removed AFTER DELETE ON keys WHEN ${rolesIn('old')} IS NOT NULL BEGIN
    DELETE FROM key_roles WHERE key = old.id AND role IN (SELECT value FROM json_each(${rolesIn('old')}));
  END;
  ALTER TABLE keys ADD COLUMN external_id TEXT
    GENERATED ALWAYS AS (CASE WHEN json_valid(record) THEN record ->> '$.externalId' END) VIRTUAL;
  CREATE UNIQUE INDEX keys_by_external_id ON keys (external_id, coalesce(owner, ''))
    WHERE external_id IS NOT NULL AND revoked_at IS NULL;
  CREATE INDEX keys_with_external_id ON keys (external_id, id) WHERE external_id IS NOT NULL;
  CREATE INDEX keys_by_name ON keys (name_folded, id);
  CREATE INDEX keys_by_last_use ON keys (last_used_at, id);
  CREATE INDEX keys_by_expiry ON keys (expires_at, id);
  `,
  },
  identityKeysStep,
  revivals,
  requestLogStep,
  portalSessions,
  usageSumsStep,
  searchStep,
  useLogStep,
  requestRowsStep,
];

/** The roles of a row that a trigger is about, as JSON; NULL where there are none or they cannot be read. */
function rolesIn(row: 'old' | 'new'): string {
  return `CASE WHEN json_valid(${row}.record) THEN ${row}.record -> '$.roles' END`;
}
