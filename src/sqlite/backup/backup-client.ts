import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { sqliteFailure } from '../errors.ts';
import { backupSocketOf, copyFollows } from './backup-socket.ts';
import { type BackupContent, contentOf } from './content.ts';

export interface Backup extends BackupContent {
  /** Whether a running service has made it. */
  readonly isLive: boolean;
}

/**
 * Writes a copy of a database into a new file, which is whole when it is there: by the process that has the database,
 * or by itself where none has. Rejects with an Error that says what to do where it cannot, and leaves no file then.
 */
export async function takeBackup(path: string, file: string): Promise<Backup> {
  if (!existsSync(path)) throw new Error(`there is no database ${path}`);
  if (existsSync(file)) throw new Error(`${file} is there already; name a new file`);
  const part = `${file}.part`;
  rmSync(part, { force: true });
  try {
    const isLive = await receive(path, part);
    if (!isLive) copyStopped(path, part);
    const content = checked(part);
    const handle = await open(part, 'r+');
    await handle.chmod(0o600);
    await handle.sync();
    await handle.close();
    renameSync(part, file);
    return { ...content, isLive };
  } finally {
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(`${part}${suffix}`, { force: true });
  }
}

/** False where no process has the database. */
async function receive(path: string, part: string): Promise<boolean> {
  const socket = connect(backupSocketOf(path));
  const isThere = await new Promise<boolean>((resolve, reject) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const isNobody = ['ENOENT', 'ECONNREFUSED', 'EINVAL'].includes(error.code ?? '');
      if (isNobody) resolve(false);
      else
        reject(new Error(`the process that has ${path} cannot be asked: ${error.message}`, { cause: error }));
    });
  });
  if (!isThere) return false;
  let head: string | null = null;
  let refusal = '';
  await pipeline(
    socket,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        const rest = head === null ? chunk.subarray(1) : chunk;
        head ??= chunk.toString('latin1', 0, 1);
        if (head === copyFollows) yield rest;
        else refusal = `${refusal}${rest}`.slice(0, 1_000);
      }
    },
    createWriteStream(part, { flags: 'wx', mode: 0o600 }),
  );
  if (head === copyFollows) return true;
  throw new Error(`the service gave no copy: ${refusal || 'it ended the connection'}`);
}

/** Runs none of the migrations: what comes before an upgrade is kept as it is. */
function copyStopped(path: string, part: string): void {
  const database = new DatabaseSync(path, { timeout: 250 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT');
    database.prepare('VACUUM INTO :part').run({ part });
  } catch (error) {
    if (sqliteFailure(error) !== 'busy') throw error;
    throw new Error(`${path} is in use by a process that hands out no copies`, { cause: error });
  } finally {
    database.close();
  }
}

/** One plain file, that needs no other beside it. */
function checked(part: string): BackupContent {
  const database = new DatabaseSync(part);
  try {
    database.exec('PRAGMA journal_mode = DELETE');
    return contentOf(database, 'the copy');
  } finally {
    database.close();
  }
}
