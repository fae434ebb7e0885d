import { type Command, Option } from 'commander';
import { z } from 'zod';
import { requestDecisions } from '../../store/usage/request-log.ts';
import { callingCommands } from '../calls/client.ts';
import { keyPath } from '../calls/key-path.ts';
import { addPageFlags, type PageFlags, printList } from '../calls/pages.ts';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import type { Io } from '../terminal/command.ts';
import { table } from '../terminal/output.ts';

interface RequestFlags extends PageFlags {
  readonly owner?: string;
  readonly decision?: string;
  readonly reason?: string;
  readonly since?: string;
  readonly until?: string;
}

const request = z.looseObject({
  at: z.string(),
  count: z.number(),
  key_id: z.string().nullable(),
  method: z.string().nullable(),
  host: z.string().nullable(),
  path: z.string().nullable(),
  address: z.string().nullable(),
  decision: z.string(),
  reason: z.string().nullable(),
  status: z.number(),
});

/** `requests`. */
export function addRequestsCommand(program: Command, io: Io): void {
  const description =
    'Lists what became of requests, of one key or of all, the newest first. The same request within a minute is one line with its count.';
  const command = callingCommands(program)('requests', description, [
    'postern requests key_01k0c6h3v8s9w2m4n5p7q8r9t1',
    'postern requests --decision deny --since 2031-01-31T12:00:00Z',
    'postern requests --owner acme --reason rate_limited --all --json',
  ])
    .argument('[id]', 'the id of a key, key_…; requests with any key and with none where it is left out')
    .addOption(new Option('--decision <decision>', 'only these').choices(requestDecisions))
    .option('--reason <reason>', 'only what was denied for this reason; of all keys only')
    .option('--owner <owner>', `only those with keys of this owner, ${ownerFlagNote}; of all keys only`)
    .option('--since <time>', 'only from this time on: 2031-01-31T12:00:00Z')
    .option('--until <time>', 'only before this time');
  addPageFlags(command, 'requests').action((id: string | undefined, flags: RequestFlags) => {
    const { decision, reason, since, until } = flags;
    // Of one key its id says enough: an owner that is named by the environment alone is none that was asked for.
    const owner = id === undefined ? actingOwner(io, flags.owner) : flags.owner;
    return printList(io, flags, {
      path: id === undefined ? '/admin/requests' : `${keyPath(id)}/requests`,
      filters: { decision, reason, since, until, owner },
      item: request,
      tableOf: requestTable,
      plural: 'requests',
      none: 'there is no such request',
    });
  });
}

const head = ['AT', 'COUNT', 'KEY', 'REQUEST', 'ADDRESS', 'DECISION'];

function requestTable(requests: readonly z.output<typeof request>[], isFirstPage: boolean): string {
  const rows = requests.map(
    ({ at, count, key_id, method, host, path, address, decision, reason, status }) => [
      ...[at, String(count), key_id ?? '-'],
      path === null ? '-' : `${method ?? '?'} ${host ?? ''}${path}`,
      ...[address ?? '-', reason === null ? decision : `${decision} ${reason} (${status})`],
    ],
  );
  return table(isFirstPage ? [head, ...rows] : rows);
}
