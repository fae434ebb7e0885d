import { DatabaseSync } from 'node:sqlite';
import type { Config } from '../../settings/config.ts';
import { error, type Finding, info } from '../../store/diagnosis/finding.ts';
import type { Examination } from './examination.ts';

/** Reads the whole SQLite file that the settings name, which no service may have open, and says what is broken in it. */
export function examineDatabase(config: Config | null): Examination {
  if (config === null) return { findings: [], isComplete: false };
  if (config.store.kind !== 'sqlite' || config.store.path === ':memory:') {
    return { findings: [notNeeded], isComplete: true };
  }
  const { path } = config.store;
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 250 });
    try {
      const rows = database.prepare('PRAGMA quick_check(20)').all();
      const isWhole = rows.length === 1 && rows[0]?.quick_check === 'ok';
      return { findings: [isWhole ? whole(path) : damaged(path)], isComplete: true };
    } finally {
      database.close();
    }
  } catch (thrown) {
    const code = Number(thrown instanceof Error && 'errcode' in thrown ? thrown.errcode : 0) & 0xff;
    if (code === sqliteBusy) return { findings: [inUse(path)], isComplete: false };
    if (code === sqliteCorrupt || code === sqliteNotDatabase)
      return { findings: [damaged(path)], isComplete: true };
    return { findings: [unreadable(path)], isComplete: false };
  }
}

const [sqliteBusy, sqliteCorrupt, sqliteNotDatabase] = [5, 11, 26];

const notNeeded = info(
  'database.not_sqlite',
  '--deep looks at a SQLite file; the settings name none.',
  'On MongoDB: db.collection.validate() in mongosh.',
);

function whole(path: string): Finding {
  return info('database.whole', 'Every page of the database is as it should be.', '', path);
}

function damaged(path: string): Finding {
  const cure =
    'Stop the service, keep the file, and restore the last backup; sqlite3 FILE .recover may save what is newer.';
  return error(
    'database.damaged',
    'The database is damaged: keys may be missing, or be refused.',
    cure,
    path,
  );
}

function inUse(path: string): Finding {
  const cure =
    'Look at a copy (POSTERN_STORE=sqlite:COPY postern doctor --deep --no-service), or stop the service first.';
  return error(
    'database.in_use',
    'A running service has the database open, so it cannot be read whole.',
    cure,
    path,
  );
}

function unreadable(path: string): Finding {
  return error(
    'database.unreadable',
    'The database cannot be opened.',
    'See that the file is there, and that you may read it and its folder.',
    path,
  );
}
