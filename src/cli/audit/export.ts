import type { AuditJson } from '../../journal/journal.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { readPages } from '../calls/pages.ts';
import { linesOf } from '../files/lines.ts';
import { type AddCommand, type AppendedFile, CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable, printableJsonLine } from '../terminal/output.ts';
import { auditEvent, eventBytesMax, eventOn } from './event.ts';

interface ExportFlags extends ConnectionFlags {
  readonly since?: string;
  readonly until?: string;
  readonly after?: string;
  readonly append?: string;
}

/** `audit export`. */
export function exportEvents(add: AddCommand, io: Io): void {
  const description =
    'Writes the whole audit log as JSON, an event on each line, the oldest first, notices too, so that its hashes ' +
    'can be verified. What was written before an interruption is good: go on after its last event.';
  add('export', description, [
    'postern audit export > audit.jsonl',
    'postern audit export --append audit.jsonl',
    'postern audit export --since 2031-01-01T00:00:00Z --until 2031-02-01T00:00:00Z > january.jsonl',
  ])
    .option('--append <file>', 'go on in this file after its last event, or begin it; checks that it fits on')
    .option('--after <event>', 'only what comes after the event of this id, evt_…')
    .option('--since <time>', 'only from this time on: 2031-01-31T12:00:00Z')
    .option('--until <time>', 'only before this time')
    .action(async (flags: ExportFlags) => {
      const given = flags.append === undefined ? null : await endOf(io, flags.append);
      if (given !== null && flags.after !== undefined) {
        const lines = ['--append goes on after the last event of its file', 'Leave out --after.'];
        throw new CommandError(exitCodes.usage, lines);
      }
      const begin = flags.after ?? given?.last?.id;
      const client = await connect(io, flags);
      const pages = readPages(client, { all: true, pageSize: '1000' }, list(flags, begin));
      const file = given === null ? null : openFile(io, given);
      try {
        await write(pages, { io, file, last: given?.last ?? null });
      } finally {
        file?.close();
      }
    });
}

function list({ since, until }: ExportFlags, after: string | undefined) {
  const filters = { notices: 'true', order: 'oldest', since, until, after };
  return { path: '/admin/audit-events', filters, item: auditEvent };
}

interface Destination {
  readonly io: Io;
  /** Null for standard output. */
  readonly file: AppendedFile | null;
  readonly last: AuditJson | null;
}

async function write(
  pages: AsyncIterable<{ readonly data: readonly AuditJson[] }>,
  { io, file, last: before }: Destination,
): Promise<void> {
  let last = before;
  let count = 0;
  for await (const { data } of pages) {
    const [first] = data;
    if (count === 0 && before !== null && first !== undefined) requireNext(before, first);
    const text = data.map((event) => `${printableJsonLine(event)}\n`).join('');
    if (file === null) io.stdout.write(text);
    else file.write(text);
    count += data.length;
    last = data.at(-1) ?? last;
    if (file === null && io.stdout.isClosed()) return;
  }
  const wrote = `wrote ${count} ${count === 1 ? 'event' : 'events'}`;
  const end = last === null ? 'there are none' : `anchor: ${anchorOf(last)}`;
  io.stderr.write(`postern: ${wrote}; ${end}\n`);
}

/** What names an event and vouches for all before it: `--anchor` of `audit verify` takes it. */
export function anchorOf({ id, hash }: Pick<AuditJson, 'id' | 'hash'>): string {
  return printable(`${id}:${hash}`);
}

function requireNext(last: AuditJson, first: AuditJson): void {
  if (first.previous_hash === last.hash) return;
  throw new CommandError(exitCodes.failed, [
    `${first.id}, the next event that the service has, does not follow ${last.id}, the last of the file`,
    'What came between was removed when its retention was over, or the file is of another service, or one of ' +
      'the two was changed: "postern audit verify" tells. Nothing was written; export to another file.',
  ]);
}

interface FileEnd {
  readonly path: string;
  /** Of the whole lines in it. */
  readonly bytes: number;
  readonly last: AuditJson | null;
}

/** Where a file of events ends. A line that is cut off, as an interruption leaves it, does not count. */
async function endOf(io: Io, path: string): Promise<FileEnd> {
  let bytes = 0;
  let last: string | null = null;
  let torn = '';
  try {
    for await (const { text, isEnded } of linesOf(io.readChunks(path), eventBytesMax)) {
      if (isEnded) bytes += Buffer.byteLength(text) + 1;
      if (isEnded) last = text;
      else torn = text;
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { path, bytes: 0, last: null };
    throw error instanceof CommandError ? error : unusable(path, code);
  }
  const event = last === null ? null : eventOn(last);
  const isExport = (last === null || event !== null) && (torn === '' || torn.startsWith('{"id":"evt_'));
  if (isExport) return { path, bytes, last: event };
  throw new CommandError(exitCodes.usage, [
    `${path} does not end with an event of an export`,
    'Name another file, or one that is not there yet.',
  ]);
}

function openFile(io: Io, { path, bytes }: FileEnd): AppendedFile {
  try {
    return io.openToAppend(path, bytes);
  } catch (error) {
    throw unusable(path, (error as NodeJS.ErrnoException).code);
  }
}

function unusable(path: string, code: string | undefined): CommandError {
  return new CommandError(exitCodes.usage, [`${path} cannot be used: ${code ?? 'unknown error'}`]);
}
