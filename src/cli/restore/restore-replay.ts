import type { Command } from 'commander';
import { createRegistry } from '../../changes/registry.ts';
import { eventId } from '../../journal/journal.ts';
import { createDigester } from '../../keys/secret.ts';
import { type ChangesSinceBackup, createChangesSinceBackup } from '../../restore/changes-since-backup.ts';
import { type Replayed, replay, settleRestore } from '../../restore/replay.ts';
import type { RestorableStore, RestoreMark } from '../../restore/restore-mark.ts';
import type { Config } from '../../settings/config.ts';
import type { ChainReport } from '../audit/chain.ts';
import { verifyFile } from '../audit/verify.ts';
import { addSettingFlags } from '../config/setting-flags.ts';
import { CommandError, type ExitCode, exitCodes, type Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { printable } from '../terminal/output.ts';
import { settingsOf, withStore } from './stored.ts';

interface ReplayFlags {
  readonly dryRun?: boolean;
  readonly partial?: boolean;
}

/** `restore replay`. `exit` takes 1 where the mark stays. */
export function addReplayCommand(restore: Command, io: Io, exit: (code: ExitCode) => void): void {
  const command = describe(
    restore.command('replay'),
    'Takes away from a restored store what was taken away after its backup, as an export of the audit log tells: keys ' +
      'revoked, leaked, disabled, rotated or narrowed, owners suspended or lapsed. Gives nothing. Then the store can ' +
      'be served from. May be repeated.',
    ['postern restore replay audit.jsonl', 'postern restore replay audit.jsonl --dry-run'],
  );
  command
    .argument(
      '<file>',
      'an export by "postern audit export", - for standard input; older events do not matter',
    )
    .option('--dry-run', 'say what would be taken away, and change nothing')
    .option('--partial', 'take away what the file tells although it is not whole; the store stays marked');
  const read = addSettingFlags(command);
  command.action(async (file: string, given: ReplayFlags & Record<string, string | undefined>) => {
    const config = await settingsOf(read(given), io);
    await withStore(config, io, async (store) => {
      const mark = await store.getRestoreMark();
      if (mark === null) {
        io.stdout.write('the store is not marked as restored: nothing is replayed\n');
        return;
      }
      exit(await replayFile({ io, store, config, mark }, file, given));
    });
  });
}

interface Replaying {
  readonly io: Io;
  readonly store: RestorableStore;
  readonly config: Config;
  readonly mark: RestoreMark;
}

async function replayFile(
  { io, store, config, mark }: Replaying,
  file: string,
  { dryRun: isDryRun = false, partial: isPartial = false }: ReplayFlags,
): Promise<ExitCode> {
  const changes = createChangesSinceBackup();
  const anchors = [{ id: eventId(mark.sequence), hash: mark.hash }];
  const report = await verifyFile(io, file, anchors, (event) => {
    if (Number(event.id.slice(4)) > mark.sequence) changes.add(event);
  });
  const isWhole = tellProblems(io, report, { file, isPartial });
  const lost = changes.end();
  const registry = createRegistry(
    {
      store,
      digester: createDigester(config.peppers),
      policy: () => ({ keySchemes: config.schemes }),
      now: () => Date.now(),
    },
    { retentionMs: config.retentionMs },
  );
  const replayed = await replay({ store, registry }, lost, { isDryRun });
  io.stdout.write(textOf(lost, replayed, isDryRun));
  const { last } = report;
  if (isDryRun) return exitCodes.done;
  if (!isWhole || replayed.failed.length > 0 || last === null) {
    io.stderr.write(
      'postern: the store stays marked as restored: replay the rest, or "postern restore accept"\n',
    );
    return exitCodes.failed;
  }
  await settleRestore(store, mark, { replayed_to: last.id });
  const end = `what was changed after ${last.id} (${last.at}) is in no export, and lost`;
  io.stdout.write(`${printable(`done: ${end}; the service can be started`)}\n`);
  return exitCodes.done;
}

/** Whether the file goes on from the end of the backup without a gap. Throws a {@link CommandError} unless it may be partial. */
function tellProblems(
  io: Io,
  { problems, more, outdated, first }: ChainReport,
  { file, isPartial }: { readonly file: string; readonly isPartial: boolean },
): boolean {
  const gaps = outdated.map(
    ({ id }) =>
      `the backup ends with ${id}, and the file begins with ${first?.id ?? 'nothing'}: what lies between is missing`,
  );
  const lines = [...problems, ...gaps, ...(more > 0 ? [`and ${more} more`] : [])].map(
    (line) => `  ${printable(line)}`,
  );
  if (lines.length === 0) return true;
  const what = `${printable(file)} does not go on from the end of the backup, or is not whole:`;
  if (!isPartial) {
    const cure =
      'Name an export that has every event after the backup. --partial takes away what this one tells.';
    throw new CommandError(exitCodes.failed, [what, ...lines, cure]);
  }
  io.stderr.write(`postern: ${[what, ...lines].join('\n')}\n`);
  return false;
}

const shownMax = 1_000;

function textOf({ changes, imported }: ChangesSinceBackup, replayed: Replayed, isDryRun: boolean): string {
  const { retaken, missing, unreadable, failed } = replayed;
  const lines = [
    ...retaken.map(
      ({ what, target, event }) => `${isDryRun ? 'would be ' : ''}${told[what]} ${target} (${event})`,
    ),
    ...failed.map(({ target, why }) => `FAILED ${target}: ${why}`),
    ...missing.map(
      ({ id, name }) =>
        `not there any more: ${id} "${name}", made after the backup; make a new key for whoever had it`,
    ),
    ...unreadable.map((id) => `cannot be read, and allows nobody: ${id}`),
    ...(imported > 0 ? [`${imported} imported keys may be missing: import them again`] : []),
  ];
  const shown = lines.slice(0, shownMax);
  const rest = lines.length > shownMax ? [`and ${lines.length - shownMax} more`] : [];
  const sum = `${changes} changes after the backup: ${retaken.length} ${isDryRun ? 'to take away again' : 'taken away again'}`;
  return [...shown, ...rest, sum].map((line) => `${printable(line)}\n`).join('');
}

const told = {
  revoked: 'revoked',
  disabled: 'disabled',
  narrowed: 'narrowed',
  owner: 'owner narrowed',
  role: 'role narrowed',
} as const;
