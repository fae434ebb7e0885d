import { eventId } from '../../journal/journal.ts';
import type { RestorableStore } from '../../restore/restore-mark.ts';
import type { Config } from '../../settings/config.ts';
import type { SettingFlags } from '../config/settings.ts';
import { grouped } from '../import/progress.ts';
import { CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';

/** The settings, for a command that works on the store itself. Throws a {@link CommandError} with all that is wrong. */
export async function settingsOf(flags: SettingFlags, io: Io): Promise<Config> {
  const { examineSettings } = await import('../config/settings.ts');
  const { config, problems } = examineSettings(flags, io.environment, io.readFile);
  if (config === null) throw new CommandError(exitCodes.usage, problems.map(printable));
  return config;
}

/** Throws a {@link CommandError} for a store in memory, and for MongoDB, with what to do there `instead`. */
export function sqlitePathOf({ store }: Config, instead: string): string {
  if (store.kind !== 'sqlite') {
    throw new CommandError(exitCodes.usage, [
      'the store is MongoDB, which has tools of its own for this',
      instead,
    ]);
  }
  if (store.path !== ':memory:') return store.path;
  throw new CommandError(exitCodes.usage, [
    'the store is in memory, and ends with its process',
    'Name a file: --store sqlite:FILE, or POSTERN_STORE.',
  ]);
}

/** What `work` answers; its errors as those of a command, in the words that they have. */
export async function failing<T>(work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CommandError || !(error instanceof Error)) throw error;
    const causes = error.cause instanceof Error && 'code' in error.cause ? [`  ${error.cause.message}`] : [];
    throw new CommandError(exitCodes.failed, [error.message, ...causes].map(printable));
  }
}

/** Opens the store that the settings name, restored or not, and closes it when the work has ended. */
export async function withStore<T>(
  config: Config,
  io: Io,
  work: (store: RestorableStore) => Promise<T>,
): Promise<T> {
  const { createLogger } = await import('../../telemetry/log.ts');
  const { loadStore } = await import('../serving/store.ts');
  const createStore = await loadStore(config.store);
  return failing(async () => {
    const store = createStore(config, createLogger('error', io.stderr), { opensRestored: true });
    await store.open();
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  });
}

/** `12 keys, up to evt_…:HASH`. */
export function contentText({
  keys,
  head,
}: {
  readonly keys: number;
  readonly head: { readonly sequence: number; readonly hash: string };
}): string {
  const count = `${grouped(keys)} ${keys === 1 ? 'key' : 'keys'}`;
  if (head.sequence === 0) return `${count}, and an empty audit log`;
  return `${count}, and the audit log up to ${anchorOf(head)}`;
}

/** An event as `audit verify` and `audit export` name it. */
export function anchorOf({ sequence, hash }: { readonly sequence: number; readonly hash: string }): string {
  return `${eventId(sequence)}:${hash}`;
}
