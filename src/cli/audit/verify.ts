import { InvalidArgumentError } from 'commander';
import type { AuditJson } from '../../journal/journal.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { readPages } from '../calls/pages.ts';
import { linesOf } from '../files/lines.ts';
import { type AddCommand, CommandError, type ExitCode, exitCodes, type Io } from '../terminal/command.ts';
import { printable, printableJsonLine } from '../terminal/output.ts';
import { type Anchor, type ChainReport, createChain } from './chain.ts';
import { auditEvent, eventBytesMax, eventOn } from './event.ts';
import { anchorOf } from './export.ts';

interface VerifyFlags extends ConnectionFlags {
  readonly anchor?: Anchor[];
}

/** `audit verify`: ends with 0 when the journal is whole, 1 when it was tampered with, 2 when it cannot be read. */
export function verifyEvents(add: AddCommand, io: Io, exit: (code: ExitCode) => void): void {
  const description =
    'Verifies the hashes of the audit log, of an export or, without a file, of the running service, and names each ' +
    'event that was changed, removed, added or moved. Ends with 0 when it is whole, with 1 when it is not, with 2 ' +
    'when it cannot be read. That its end was cut off shows only by an anchor, which export and verify print: ' +
    'keep it elsewhere.';
  add('verify', description, [
    'postern audit verify',
    'postern audit verify audit.jsonl',
    `postern audit verify audit.jsonl --anchor evt_0000000000000042:${'9f86d081'.repeat(8)}`,
  ])
    .argument('[file]', 'an export of the audit log, - for standard input')
    .option('--anchor <id:hash>', 'an event that has to be there; repeat for more', anchor)
    .action(async (file: string | undefined, flags: VerifyFlags) => {
      const anchors = flags.anchor ?? [];
      const report =
        file === undefined ? await verifyLive(io, flags, anchors) : await verifyFile(io, file, anchors);
      exit(print(io, report, file));
    });
}

function anchor(text: string, before: Anchor[] = []): Anchor[] {
  const match = /^(evt_[0-9]{16}):([0-9a-f]{64})$/.exec(text);
  if (match === null) throw new InvalidArgumentError('Write it as export prints it: evt_…:HASH.');
  const [, id = '', hash = ''] = match;
  return [...before, { id, hash }];
}

/** A refusal ends with 2: 1 would say that something was tampered with. */
async function verifyLive(io: Io, flags: VerifyFlags, anchors: readonly Anchor[]): Promise<ChainReport> {
  const chain = createChain(anchors);
  const filters = { notices: 'true', order: 'oldest' };
  const client = await connect(io, flags);
  const list = { path: '/admin/audit-events', filters, item: auditEvent };
  try {
    for await (const { data } of readPages(client, { all: true, pageSize: '1000' }, list)) {
      for (const event of data) chain.add(event);
    }
  } catch (error) {
    const isRefused = error instanceof CommandError && error.exitCode === exitCodes.failed;
    throw isRefused ? new CommandError(exitCodes.usage, error.lines) : error;
  }
  return chain.end();
}

/** Judges the events of an export, `-` for standard input, and tells of each. */
export async function verifyFile(
  io: Io,
  file: string,
  anchors: readonly Anchor[],
  onEvent: (event: AuditJson) => void = () => {},
): Promise<ChainReport> {
  const chain = createChain(anchors);
  let events = 0;
  for await (const { number, text, isEnded } of linesOf(chunksOf(io, file), eventBytesMax)) {
    const line = text.replace(/\r$/, '');
    const event = eventOn(line);
    if (event === null) chain.addOther(`line ${number} ${isEnded ? 'is not an event' : 'is cut off'}`);
    else {
      events += 1;
      if (line !== printableJsonLine(event) && line !== JSON.stringify(event)) {
        chain.addOther(`line ${number} is not as it was exported: ${event.id} is written in another way`);
      }
      chain.add(event);
      onEvent(event);
    }
  }
  if (events > 0 || anchors.length > 0) return chain.end();
  const what = file === '-' ? 'standard input' : file;
  const lines = [`${what} holds no events`, 'Name a file that "postern audit export" wrote.'];
  throw new CommandError(exitCodes.usage, lines);
}

async function* chunksOf(io: Io, file: string): AsyncGenerator<Uint8Array | string> {
  try {
    yield* file === '-' ? io.stdin : io.readChunks(file);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const lines = [`${file} cannot be read: ${why}`, 'Name a file that "postern audit export" wrote.'];
    throw new CommandError(exitCodes.usage, lines);
  }
}

function print(io: Io, report: ChainReport, file: string | undefined): ExitCode {
  const { count, first, last, problems, more, outdated } = report;
  const where = file === undefined ? 'the audit log' : file === '-' ? 'standard input' : file;
  if (problems.length > 0) {
    const rest = more > 0 ? [`and ${more} more`] : [];
    const lines = [...problems, ...rest].map((line) => `  ${printable(line)}\n`);
    io.stderr.write(
      `postern: ${printable(where)} was tampered with, or is not all there:\n${lines.join('')}`,
    );
    const hasGaps = problems.some((problem) => problem.includes(' missing: '));
    if (hasGaps)
      io.stderr.write('An export by an admin key that has an owner leaves out events of others.\n');
    return exitCodes.failed;
  }
  if (outdated.length > 0) {
    const ids = outdated.map(({ id }) => id).join(', ');
    throw new CommandError(exitCodes.usage, [
      `nothing can be said of the anchor ${ids}: ${first?.id ?? 'nothing'} is the first event that is there`,
      'All events there are whole. Verify with a later anchor.',
    ]);
  }
  io.stdout.write(wholeText(count, first, last));
  return exitCodes.done;
}

function wholeText(count: number, first: ChainReport['first'], last: ChainReport['last']): string {
  if (first === null || last === null) return 'the audit log is empty\n';
  const lines = [
    `whole: ${count} ${count === 1 ? 'event' : 'events'}, ${first.id} to ${last.id}, ${first.at} to ${last.at}`,
  ];
  if (first.id !== 'evt_0000000000000001') {
    lines.push(`it begins at ${first.id}: what came before is not there, as when its retention is over`);
  }
  return `${lines.map(printable).join('\n')}\nanchor: ${anchorOf(last)}\n`;
}
