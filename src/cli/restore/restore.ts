import type { Command } from 'commander';
import { emptyJournal } from '../../journal/journal.ts';
import { settleRestore } from '../../restore/replay.ts';
import type { RestorableStore } from '../../restore/restore-mark.ts';
import { addSettingFlags } from '../config/setting-flags.ts';
import type { ExitCode, Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { addReplayCommand } from './restore-replay.ts';
import { anchorOf, contentText, failing, settingsOf, sqlitePathOf, withStore } from './stored.ts';

/** The commands under `restore`, all of which want the service stopped. `exit` takes the code of one that ends well. */
export function addRestoreCommands(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const restore = program.command('restore');
  describe(
    restore,
    'Puts a backup back, and makes up for what was taken away since, so that no key that was revoked is allowed ' +
      'again. A restored store is not served from until "restore replay" or "restore accept" has ended well.',
    [
      'postern restore from postern-backup.db',
      'postern restore replay audit.jsonl',
      'postern restore accept',
    ],
  );
  addFrom(restore, io);
  addMark(restore, io);
  addReplayCommand(restore, io, exit);
  addAccept(restore, io);
}

function addFrom(restore: Command, io: Io): void {
  const command = describe(
    restore.command('from'),
    'Puts a backup of SQLite in the place of the database, marked as restored. The service must be stopped. What ' +
      'was there is kept beside it.',
    [
      'postern restore from postern-backup.db',
      'postern restore from /backup/postern.db --store sqlite:/var/lib/postern/postern.db',
    ],
  );
  command.argument('<file>', 'a file that "postern backup" wrote');
  const read = addSettingFlags(command);
  command.action(async (file: string, given: Record<string, string | undefined>) => {
    const instead = 'Use mongorestore, then "postern restore mark": see docs/backup.md.';
    const path = sqlitePathOf(await settingsOf(read(given), io), instead);
    const { restoreBackup } = await import('../../sqlite/backup/restore.ts');
    const { keptAs, ...content } = await failing(() => restoreBackup(file, path, Date.now()));
    io.stdout.write(`restored ${path}: ${contentText(content)}\n`);
    if (keptAs !== null) io.stdout.write(`what was there is kept as ${keptAs}\n`);
    io.stdout.write(whatNext);
  });
}

const whatNext =
  'It is not served from yet. Run "postern restore replay" with an export of the audit log that goes on after it, or ' +
  '"postern restore accept" to do without what was changed since.\n';

function addMark(restore: Command, io: Io): void {
  const command = describe(
    restore.command('mark'),
    'Marks a store as restored: after mongorestore or a snapshot, before any replica is started. It is not served ' +
      'from until "restore replay" or "restore accept".',
    ['postern restore mark', 'postern restore mark --store mongodb://db.internal/postern?replicaSet=rs0'],
  );
  const read = addSettingFlags(command);
  command.action(async (given: Record<string, string | undefined>) => {
    await withStore(await settingsOf(read(given), io), io, async (store) => {
      const before = await store.getRestoreMark();
      const { sequence, hash } = before ?? (await headOf(store));
      if (before === null) await store.putRestoreMark({ at: Date.now(), sequence, hash });
      io.stdout.write(
        `marked as restored; the audit log ends with ${anchorOf({ sequence, hash })}\n${whatNext}`,
      );
    });
  });
}

async function headOf(store: RestorableStore) {
  const [last] = await store.listJournal({}, { order: 'newest', after: null, size: 1 });
  return last ?? emptyJournal;
}

function addAccept(restore: Command, io: Io): void {
  const command = describe(
    restore.command('accept'),
    'Accepts that the changes since the backup are lost, so that a restored store is served from: whatever was ' +
      'revoked since is allowed again.',
    ['postern restore accept', 'postern restore accept --store sqlite:/var/lib/postern/postern.db'],
  );
  const read = addSettingFlags(command);
  command.action(async (given: Record<string, string | undefined>) => {
    await withStore(await settingsOf(read(given), io), io, async (store) => {
      const mark = await store.getRestoreMark();
      if (mark === null) {
        io.stdout.write('the store is not marked as restored: there is nothing to accept\n');
        return;
      }
      await settleRestore(store, mark, { replayed_to: null });
      io.stdout.write(
        `accepted: what was changed after ${anchorOf(mark)} is lost; the service can be started\n`,
      );
    });
  });
}
