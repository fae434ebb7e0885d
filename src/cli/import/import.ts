import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ConnectionFlags, callingCommands, connect } from '../calls/client.ts';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import { CommandError, type ExitCode, exitCodes, type Io } from '../terminal/command.ts';
import { printableJson } from '../terminal/output.ts';
import { createProgress, duration, grouped } from './progress.ts';
import { openReport } from './report.ts';
import { runImport } from './run.ts';
import { type ImportFormat, importFormats, openSource } from './source.ts';
import { type ImportState, nothingDone, openState, type Tally } from './state.ts';

interface ImportFlags extends ConnectionFlags {
  readonly format?: ImportFormat;
  readonly scheme?: string;
  readonly environment?: string;
  readonly owner?: string;
  readonly name?: string;
  readonly exportedAt?: number;
  readonly without?: string[];
  readonly dryRun?: boolean;
  readonly batch: number;
  readonly state?: string;
  readonly failures?: string;
  readonly json?: boolean;
}

/** `import`. `exit` takes the code of one that ends well: 0 when all keys are in, 1 when some failed. */
export function addImportCommand(program: Command, io: Io, exit: (code: ExitCode) => void): void {
  const description =
    'Imports keys that were made elsewhere, as secrets or as SHA-256 digests. Keys that are there already are ' +
    'counted and left as they are, so that an import can be repeated. Rows that cannot be taken in are told by ' +
    'their line on standard error, and stop no other; the exit code is then 1.';
  callingCommands(program)('import', description, [
    'postern import keys.csv --scheme powerverse --dry-run',
    'postern import keys.csv --scheme powerverse --state keys.state --failures failures.csv',
    'deck gateway dump -o - | postern import - --format kong --scheme converra',
    'postern import apisix.yaml --format apisix',
    'postern import unkey-keys.json --format unkey --scheme converra',
  ])
    .argument('<file>', 'the file, - for standard input')
    .addOption(
      new Option('--format <format>', 'what the file is (default: by its name and what is in it)').choices(
        importFormats,
      ),
    )
    .option('--scheme <scheme>', "of keys that name none (default: the service's first scheme)")
    .option('--environment <environment>', 'of digests that name none')
    .option('--owner <owner>', `of keys that name none, ${ownerFlagNote}`)
    .option('--name <name>', 'of keys that have none')
    .option('--exported-at <time>', 'when an export was written, for a ttl that counts from then', exportTime)
    .option(
      '--without <names>',
      'what held for keys elsewhere and is left behind, as rate-limiting,consumer-group',
      (text) => text.split(','),
    )
    .option('--dry-run', 'say what would become of each key, and take none in')
    .option('--batch <rows>', 'rows in one call, up to 1000', batchRows, 500)
    .addOption(
      new Option(
        '--state <file>',
        'writes down how far it has come, so that another run goes on there',
      ).conflicts('dryRun'),
    )
    .option('--failures <file>', 'writes failures and duplicates as CSV too')
    .option('--json', 'print the counts as JSON')
    .action(async (file: string, flags: ImportFlags) => {
      const tally = await importFile(io, file, flags);
      exit(tally.failed === 0 ? exitCodes.done : exitCodes.failed);
    });
}

async function importFile(io: Io, file: string, flags: ImportFlags): Promise<Tally> {
  if (file === '-' && (flags.state !== undefined || flags.adminKeyFile === '-')) {
    const what = flags.state === undefined ? 'the admin key' : 'a state';
    throw new CommandError(exitCodes.usage, [`standard input cannot be the keys and have ${what}`]);
  }
  const defaults = defaultsOf({ ...flags, owner: actingOwner(io, flags.owner) });
  const source = openSource(io, file, flags.format, {
    exportedAtMs: flags.exportedAt ?? null,
    without: new Set(flags.without),
  });
  const client = await connect(io, flags);
  const state = await stateOf(io, file, flags, [
    ...[client.address, flags.format ?? null, defaults],
    ...[flags.exportedAt, flags.without].filter((given) => given !== undefined),
  ]);
  const report = openReport(io, flags.failures, state.before.failureBytes);
  const progress = createProgress(io, state.before.rows);
  const begun = io.clock.now();
  try {
    const options = { batchRows: flags.batch, isDryRun: flags.dryRun === true, defaults };
    const tally = await runImport({ io, client, source, state, report, progress }, options);
    progress.clear();
    const { failureBytes: _, ...counts } = tally;
    const text = summary(tally, options.isDryRun, io.clock.now() - begun);
    io.stdout.write(flags.json ? printableJson({ ...counts, dry_run: options.isDryRun }) : text);
    return tally;
  } catch (error) {
    progress.clear();
    throw error instanceof CommandError ? goingOn(error, flags) : error;
  } finally {
    report.close();
  }
}

async function stateOf(
  io: Io,
  file: string,
  { state }: ImportFlags,
  about: readonly unknown[],
): Promise<ImportState> {
  if (state === undefined) return { before: nothingDone, save() {} };
  const opened = await openState(io, { state, file }, about);
  const { rows } = opened.before;
  if (rows > 0)
    io.stderr.write(`postern: ${grouped(rows)} rows are done by an earlier run; going on there\n`);
  return opened;
}

function defaultsOf({
  scheme,
  environment,
  owner,
  name,
}: Omit<ImportFlags, 'owner'> & { readonly owner: string | undefined }): Record<string, string> {
  const given = Object.entries({ scheme, environment, owner, name });
  return Object.fromEntries(given.flatMap(([field, value]) => (value === undefined ? [] : [[field, value]])));
}

function summary({ rows, imported, duplicates, failed }: Tally, isDryRun: boolean, ms: number): string {
  const verb = isDryRun ? 'would import' : 'imported';
  const counts = `${grouped(imported)}, duplicates ${grouped(duplicates)}, failed ${grouped(failed)}`;
  return `${verb} ${counts} of ${grouped(rows)} rows in ${duration(ms)}\n`;
}

function goingOn({ exitCode, lines }: CommandError, { state }: ImportFlags): CommandError {
  const advice =
    state === undefined
      ? 'Run it again: what is in by now is then counted as duplicates.'
      : 'Run it again with the same --state: it goes on where it stopped.';
  return new CommandError(exitCode, exitCode === exitCodes.usage ? lines : [...lines, advice]);
}

function batchRows(text: string): number {
  const rows = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (rows >= 1 && rows <= 1_000) return rows;
  throw new InvalidArgumentError('It is a number from 1 to 1000.');
}

function exportTime(text: string): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isFinite(ms)) return ms;
  throw new InvalidArgumentError('It is a time such as 2031-01-31T12:00:00Z.');
}
