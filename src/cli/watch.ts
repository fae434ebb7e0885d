import type { Command } from 'commander';
import { z } from 'zod';
import { eventTypes } from '../events/events.ts';
import { type Client, type ConnectionFlags, callingCommands, connect } from './calls/client.ts';
import { streamedEvents } from './calls/event-stream.ts';
import { CommandError, exitCodes, type Io } from './terminal/command.ts';
import { printable, printableJsonLine } from './terminal/output.ts';

interface WatchFlags extends ConnectionFlags {
  readonly types?: string;
  readonly after?: string;
  readonly json?: boolean;
}

const told = z.object({
  id: z.string(),
  type: z.string(),
  at: z.string(),
  target: z.string().nullable(),
  owner: z.string().nullable(),
  actor: z.string().nullable(),
  details: z.record(z.string(), z.unknown()),
});

const lineBytesMax = 4 * 1_048_576;
const retryMsMax = 30_000;
/** The service says at least each 15 s that it is alive. */
const silentMsMax = 45_000;
/** How late a request to stop may be seen while nothing is connected. */
const sliceMs = 500;

/** `watch`. */
export function addWatchCommand(program: Command, io: Io): void {
  const description =
    'Shows what happens to keys and owners, a line each, until Ctrl-C. Goes on where it was after a lost connection.';
  callingCommands(program)('watch', description, [
    'postern watch',
    'postern watch --types key.leaked,key.expiring,address.many_failures',
    'postern watch --after evt_0000000000000042 --json >> events.jsonl',
  ])
    .option('--types <types>', `only these, with commas: ${eventTypes.join(', ')}`)
    .option('--after <id>', 'also what happened since this event, evt_…')
    .option('--json', 'print each event as one line of JSON')
    .action(async (flags: WatchFlags) => watch(io, await connect(io, flags), flags));
}

async function watch(io: Io, client: Client, { types, after, json }: WatchFlags): Promise<void> {
  const stopped = new AbortController();
  io.onStop(() => stopped.abort());
  const { signal } = stopped;
  const path = `/admin/events${types === undefined ? '' : `?types=${encodeURIComponent(types)}`}`;
  let last = after ?? null;
  let hasBegun = false;
  let retryMsFirst = 1_000;

  for (let tries = 0; !signal.aborted; tries++) {
    try {
      for await (const { id, data, retryMs } of connected(client, path, last, signal)) {
        [tries, hasBegun] = [0, true];
        retryMsFirst = retryMs ?? retryMsFirst;
        if (data !== null) io.stdout.write(lineOf(data, json === true));
        last = id ?? last;
        if (io.stdout.isClosed()) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof CommandError && !(hasBegun && error.isPassing)) throw error;
    }
    if (signal.aborted) return;
    if (tries === 0) io.stderr.write('postern: the connection ended; trying to go on\n');
    await wait(io, Math.min(retryMsMax, retryMsFirst * 2 ** tries), signal);
  }
}

/** Ends, or throws what cut it off, when the connection does or is silent for too long. */
async function* connected(client: Client, path: string, last: string | null, signal: AbortSignal) {
  const silent = new AbortController();
  const headers = { accept: 'text/event-stream', ...(last !== null && { 'last-event-id': last }) };
  const either = AbortSignal.any([signal, silent.signal]);
  const bytes = await client.open(path, headers, either);
  const timer = setTimeout(() => silent.abort(), silentMsMax);
  try {
    for await (const event of streamedEvents(bytes, lineBytesMax)) {
      timer.refresh();
      yield event;
    }
  } finally {
    clearTimeout(timer);
  }
}

async function wait(io: Io, ms: number, signal: AbortSignal): Promise<void> {
  for (let leftMs = ms; leftMs > 0 && !signal.aborted; leftMs -= sliceMs) {
    await io.clock.wait(Math.min(leftMs, sliceMs));
  }
}

function lineOf(data: string, asJson: boolean): string {
  const event = told.safeParse(parse(data));
  if (!event.success) {
    throw new CommandError(exitCodes.failed, [
      'the service sent an event that is none',
      'Are both of one version?',
    ]);
  }
  if (asJson) return `${printableJsonLine(event.data)}\n`;
  const { at, type, target, owner, actor, details } = event.data;
  const { address, within, after } = details;
  const name = nameIn(details) ?? nameIn(after);
  const parts = [
    ...[at, type, target ?? '-', name === null ? '' : JSON.stringify(name)],
    ...[owner === null ? '' : `owner ${owner}`, actor === null ? '' : `by ${actor}`],
    ...[
      typeof address === 'string' ? `from ${address}` : '',
      typeof within === 'string' ? `within ${within}` : '',
    ],
  ];
  return `${printable(parts.filter((part) => part !== '').join('  '))}\n`;
}

function nameIn(value: unknown): string | null {
  const { name } = Object(value) as { readonly name?: unknown };
  return typeof name === 'string' ? name : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
