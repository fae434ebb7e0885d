import type { Command } from 'commander';
import { addSettingFlags } from '../config/setting-flags.ts';
import type { Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { contentText, failing, settingsOf, sqlitePathOf } from './stored.ts';

/** `backup`. */
export function addBackupCommand(program: Command, io: Io): void {
  const command = describe(
    program.command('backup'),
    'Writes a copy of the SQLite database into a new file, while the service runs or when it is stopped. Runs as ' +
      'the user of the service, on its machine. For MongoDB use mongodump: see docs/backup.md.',
    [
      'postern backup postern-backup.db',
      'postern backup --store sqlite:/var/lib/postern/postern.db /backup/postern.db',
    ],
  );
  command.argument('<file>', 'where to; it must not be there yet');
  const read = addSettingFlags(command);
  command.action(async (file: string, given: Record<string, string | undefined>) => {
    const instead = 'Use mongodump or snapshots: see docs/backup.md.';
    const path = sqlitePathOf(await settingsOf(read(given), io), instead);
    const { takeBackup } = await import('../../sqlite/backup/backup-client.ts');
    const { isLive, ...content } = await failing(() => takeBackup(path, file));
    const how = isLive ? 'by the running service' : 'no service has it open';
    io.stdout.write(`backed up to ${file}, ${how}: ${contentText(content)}\n`);
  });
}
