import { Option } from 'commander';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { keyAnswer, keyList } from '../terminal/key-text.ts';
import { addPageFlags, type PageFlags, printList } from '../terminal/pages.ts';

interface ListFlags extends PageFlags {
  readonly owner?: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly state?: string;
  readonly permission?: string;
  readonly nameContains?: string;
}

/** `keys list`. */
export function listKeys(add: AddCommand, io: Io): void {
  const command = add('list', 'Lists keys, the newest first, without their secrets.', [
    'postern keys list',
    'postern keys list --owner acme --state active',
    'postern keys list --all --json',
  ])
    .option('--owner <owner>', `only the keys of this owner, ${ownerFlagNote}`)
    .option('--scheme <scheme>', 'only keys of this scheme')
    .option('--environment <environment>', 'only keys of this environment')
    .addOption(
      new Option('--state <state>', 'only keys in this state').choices([
        'active',
        'disabled',
        'revoked',
        'expired',
      ]),
    )
    .option('--permission <permission>', 'only keys with this permission')
    .option('--name-contains <text>', 'only keys with this in their name, letter case aside');
  addPageFlags(command, 'keys').action((flags: ListFlags) =>
    printList(io, flags, {
      path: '/admin/api-keys',
      filters: { ...filtersOf(flags), owner: actingOwner(io, flags.owner) },
      item: keyAnswer,
      tableOf: keyList,
      plural: 'keys',
      none: 'there is no such key',
    }),
  );
}

function filtersOf(flags: ListFlags) {
  return {
    scheme: flags.scheme,
    environment: flags.environment,
    state: flags.state,
    permission: flags.permission,
    name_contains: flags.nameContains,
  };
}
