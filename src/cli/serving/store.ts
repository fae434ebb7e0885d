import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { createMongoStore } from '../../mongo/store.ts';
import type { RestorableStore } from '../../restore/restore-mark.ts';
import type { Config } from '../../settings/config.ts';
import { createSqliteStore } from '../../sqlite/store.ts';
import type { Logger } from '../../telemetry/log.ts';
import { SettingsError } from '../config/settings.ts';

export interface CreateStoreOptions {
  readonly opensRestored?: boolean;
  /** A record was left out of a list; the log is told each time unless it is given. */
  readonly onBadRecord?: (id: string, error: Error) => void;
  /** Told that the file of the database was deleted or replaced, and that it is back. */
  readonly onLost?: (isLost: boolean) => void;
}

/** The store that the settings name, not opened yet. Throws {@link SettingsError} when its address cannot be read. */
export type CreateStore = (config: Config, log: Logger, options?: CreateStoreOptions) => RestorableStore;

/** For settings that name a store of this kind: MongoDB's driver, which takes 10 MB of memory, is loaded for it alone. */
export async function loadStore({ kind }: Config['store']): Promise<CreateStore> {
  const mongo = kind === 'mongodb' ? (await import('../../mongo/store.ts')).createMongoStore : null;
  return (config, log, options = {}) => createStore(config, log, options, mongo);
}

function createStore(
  config: Config,
  log: Logger,
  { opensRestored = false, onBadRecord = tellOf(log), onLost }: CreateStoreOptions,
  createOnMongo: typeof createMongoStore | null,
): RestorableStore {
  const now = () => Date.now();
  const onBackgroundError = (error: unknown) =>
    log.error({ err: error }, 'the store failed in the background');
  const journalRetentionMs = config.audit.retentionMs;
  const { retentionMs: requestRetentionMs, rowsMax: requestRowsMax } = config.requestLog;
  const onRequestsRemoved = (rows: number) =>
    log.warn(
      { rows, rows_max: requestRowsMax },
      'the oldest rows of the request log were removed: there were more than request_log.rows_max',
    );
  if (config.store.kind === 'sqlite') {
    const { path } = config.store;
    return createSqliteStore({
      ...{ path, now, journalRetentionMs, requestRetentionMs, opensRestored, onBadRecord, onBackgroundError },
      ...{ requestRowsMax, onRequestsRemoved },
      stalenessMaxMs: config.stalenessMaxMs,
      onTrouble: (trouble, error) => log.error({ trouble, err: error }, 'something is wrong with the store'),
      onLost(isLost) {
        if (isLost)
          log.error({ file: path }, 'the database file was deleted or replaced: nothing can be changed');
        else log.info({ file: path }, 'the database file is in its place again');
        onLost?.(isLost);
      },
    });
  }
  if (createOnMongo === null) throw new Error('the store is of another kind than was loaded');
  try {
    return createOnMongo({
      uri: config.store.uri,
      replicaId: config.replicaId ?? `${hostname()}-${randomBytes(4).toString('hex')}`,
      stalenessMaxMs: config.stalenessMaxMs,
      settleMaxMs: config.settleMaxMs,
      timeouts: { findKeyMs: config.check.storeTimeoutMs },
      journalRetentionMs,
      ...{ requestRetentionMs, requestRowsMax, onRequestsRemoved },
      opensRestored,
      now,
      monotonic: () => performance.now(),
      onBadRecord,
      onBackgroundError,
      onDegraded: (message) => log.error(message),
    });
  } catch (error) {
    // Nothing is asked yet: only the address can be wrong.
    throw new SettingsError([`store: ${(error as Error).message}`]);
  }
}

/** Says which record cannot be read, and why. */
export function tellOf(log: Logger): (id: string, error: Error) => void {
  return (id, error) => log.error({ key_id: id, err: error }, 'a stored record cannot be read');
}

/** Where the keys are, without what may be secret: who logs in, and the options, where a token may stand. */
export function storeName(config: Config): string {
  if (config.store.kind === 'sqlite') return `sqlite:${config.store.path}`;
  return config.store.uri.replace(/\?.*$/s, '').replace(/\/\/[^@/]*@/, '//');
}
