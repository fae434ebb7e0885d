import { error, type Finding } from '../store/diagnosis/finding.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { StoreTrouble } from '../store/trouble.ts';

/** What went wrong with the file lately. */
export interface Troubles {
  /** Notes what an error says of the file, and tells of it, of each kind once a minute. */
  note(thrown: unknown): void;
  findings(): Finding[];
}

/** A full disk that has room again is no trouble any more; a damaged file stays one. */
const rememberedMs = 300_000;
const toldEveryMs = 60_000;

/** `now` is in Unix milliseconds. */
export function createTroubles(
  path: string,
  now: () => number,
  onTrouble: (trouble: StoreTrouble, error: StoreUnavailable) => void,
): Troubles {
  const seenAt = new Map<StoreTrouble, number>();
  const toldAt = new Map<StoreTrouble, number>();

  return {
    note(thrown) {
      if (!(thrown instanceof StoreUnavailable) || thrown.trouble === null) return;
      const { trouble } = thrown;
      const at = now();
      seenAt.set(trouble, at);
      if (at - (toldAt.get(trouble) ?? Number.NEGATIVE_INFINITY) < toldEveryMs) return;
      toldAt.set(trouble, at);
      onTrouble(trouble, thrown);
    },
    findings: () =>
      [...seenAt].flatMap(([trouble, at]) => {
        const finding = findingsOf[trouble];
        const isOver = trouble !== 'damaged' && now() - at >= rememberedMs;
        return finding === undefined || isOver ? [] : [error(...finding, path)];
      }),
  };
}

/** The database of an operator whose service serves from a file that nobody can find any more. */
export function lostFinding(path: string): Finding {
  return error(
    'store.file_lost',
    'The database file, or its write-ahead log (-wal), was deleted or replaced under the service: nothing can be changed, and after staleness_max no key is answered for.',
    'Put the file back under its name, or restore a backup, and start the service again; back up with postern backup, never by moving the file.',
    path,
  );
}

const findingsOf: Partial<Record<StoreTrouble, readonly [code: string, what: string, cure: string]>> = {
  full: [
    'store.disk_full',
    'The disk of the database was full within the last 5 minutes: changes were refused, and the use of keys was not recorded.',
    'Make room on it, or move the database to a larger disk while the service is stopped.',
  ],
  io: [
    'store.disk_broken',
    'The database file could not be read or written within the last 5 minutes: its disk is full or broken, or a limit is reached.',
    'Look at the disk, its quota and the limits of the process (ulimit -f); restore a backup on another disk if it is broken.',
  ],
  readonly: [
    'store.read_only',
    'The database file, or its file system, was read-only within the last 5 minutes: changes were refused.',
    'Let the service write to the file and its folder.',
  ],
  damaged: [
    'store.damaged',
    'A part of the database file that was read is damaged: keys that are kept there are answered with 503.',
    'Stop the service, keep the file, and restore a backup (postern restore).',
  ],
};
