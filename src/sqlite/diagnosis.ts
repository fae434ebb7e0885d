import { statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { error, type Finding, info, warning } from '../store/diagnosis/finding.ts';

const gib = 2 ** 30;
const freeBytes = { warning: gib, error: gib / 10 };

/** What `statfs` says of a file system, as Linux numbers them (statfs(2)). */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x65735546, 'FUSE'],
]);
const memoryTypes: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** The file system under a folder. */
export interface FileSystem {
  readonly type: number;
  readonly freeBytes: number;
}

/** What an operator should know of the open database and its file. `path` is `:memory:` for none. */
export function diagnoseFile(database: DatabaseSync, path: string, look = lookAt): Finding[] {
  const findings = [overview(database, path), ...journalMode(database, path)];
  if (path === ':memory:') return findings;
  const folder = dirname(path);
  return [
    ...findings,
    ...rights(path, 0o077, '0600'),
    ...rights(folder, 0o022, '0700'),
    ...fileSystem(look(folder), folder),
  ];
}

function overview(database: DatabaseSync, path: string): Finding {
  const { version } = database.prepare('SELECT sqlite_version() AS version').get() ?? {};
  const what = `The store is SQLite ${version}.`;
  if (path !== ':memory:') return info('store.kind', what, '');
  return info(
    'store.memory',
    `${what} It is in memory: all keys are gone when the service ends.`,
    'Name a file: POSTERN_STORE=sqlite:data/postern.db.',
  );
}

function journalMode(database: DatabaseSync, path: string): Finding[] {
  const mode = database.prepare('PRAGMA journal_mode').get()?.journal_mode;
  if (mode === 'wal' || path === ':memory:') return [];
  const what = `The database has no write-ahead log, its journal mode is ${mode}: reads wait for writes.`;
  return [
    warning(
      'store.journal_mode',
      what,
      'Put it on a local disk, whose file system can share memory between processes, and start again.',
    ),
  ];
}

function rights(path: string, forbidden: number, wanted: string): Finding[] {
  const { mode } = statSync(path);
  if ((mode & forbidden) === 0) return [];
  const how = (mode & 0o022) === 0 ? 'read' : 'write';
  const what = `Other users of the machine may ${how} it: its mode is ${octal(mode)}.`;
  return [warning('store.file_rights', what, `chmod ${wanted} ${path}`, path)];
}

function fileSystem({ type, freeBytes: free }: FileSystem, folder: string): Finding[] {
  const findings: Finding[] = [];
  const network = networkTypes.get(type);
  if (network !== undefined) {
    const what = `The database is on ${network}, whose locks SQLite cannot rely on: it may be damaged, and a second process may not be refused.`;
    findings.push(error('store.network_file', what, 'Move it to a local disk, or use MongoDB.', folder));
  }
  if (memoryTypes.has(type)) {
    const what =
      'The database is on a file system in memory: all keys are gone with the machine or its container.';
    findings.push(
      warning('store.memory_file', what, 'Move it to a disk, in Kubernetes to a volume of its own.', folder),
    );
  }
  if (free < freeBytes.warning) {
    const what = `${Math.floor(free / 2 ** 20)} MiB are free on the disk: when it is full nothing can be changed, and the use of keys is not recorded.`;
    const finding = free < freeBytes.error ? error : warning;
    findings.push(
      finding(
        'store.disk',
        what,
        'Make room, or move the database to a larger disk while the service is stopped.',
        folder,
      ),
    );
  }
  return findings;
}

function lookAt(folder: string): FileSystem {
  const { type, bavail, bsize } = statfsSync(folder);
  return { type, freeBytes: bavail * bsize };
}

function octal(mode: number): string {
  return (mode & 0o777).toString(8).padStart(4, '0');
}
