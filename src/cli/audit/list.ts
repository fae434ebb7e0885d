import { Option } from 'commander';
import { addPageFlags, type PageFlags, printList } from '../calls/pages.ts';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { auditEvent, eventList } from './event.ts';

interface ListFlags extends PageFlags {
  readonly owner?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly target?: string;
  readonly outcome?: string;
  readonly since?: string;
  readonly until?: string;
  readonly notices?: boolean;
  readonly order?: string;
  readonly history?: boolean;
}

/** `audit list`. */
export function listEvents(add: AddCommand, io: Io): void {
  const command = add('list', 'Lists admin calls that changed something or were refused, the newest first.', [
    'postern audit list',
    'postern audit list --target key_01k0c6h3v8s9w2m4n5p7q8r9t1 --history',
    'postern audit list --outcome refused --since 2031-01-31T00:00:00Z --all --json',
  ])
    .option('--actor <actor>', 'only calls by this admin key (its id), POSTERN_ADMIN_KEY or certificate name')
    .option('--action <action>', 'only this call, by its name in the API, such as RevokeKey')
    .option('--target <id>', 'only what is about this key or owner')
    .option(
      '--history',
      'with --target KEY: also what is about the keys that it replaced, and that replaced it',
    )
    .addOption(new Option('--outcome <outcome>', 'only calls that ended so').choices(['ok', 'refused']))
    .option('--owner <owner>', `only what is about the keys of this owner, ${ownerFlagNote}`)
    .option('--since <time>', 'only from this time on: 2031-01-31T12:00:00Z')
    .option('--until <time>', 'only before this time')
    .option('--notices', 'also what nobody called for, such as a key that is about to expire')
    .addOption(new Option('--order <order>', 'which come first').choices(['newest', 'oldest']));
  addPageFlags(command, 'events').action((flags: ListFlags) =>
    printList(io, flags, {
      path: '/admin/audit-events',
      filters: { ...filtersOf(flags), owner: actingOwner(io, flags.owner) },
      item: auditEvent,
      tableOf: eventList,
      plural: 'events',
      none: 'there is no such event',
    }),
  );
}

function filtersOf({ notices, history, actor, action, target, outcome, since, until, order }: ListFlags) {
  const switches = { notices: notices ? 'true' : undefined, history: history ? 'true' : undefined };
  return { actor, action, target, outcome, since, until, order, ...switches };
}
