import type { Command } from 'commander';
import { z } from 'zod';
import { ownerAnswer, ownerDetails, ownerList } from '../answers/owner-text.ts';
import { type ConnectionFlags, callingCommands, connect } from '../calls/client.ts';
import { addPageFlags, type PageFlags, printList } from '../calls/pages.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { printableJson } from '../terminal/output.ts';
import { ownerPath } from './owner-path.ts';
import { putOwner } from './put.ts';
import { switchOwner, updateOwner } from './update.ts';

interface ShownFlags extends ConnectionFlags {
  readonly json?: boolean;
}

const oneOwner = z.object({ data: ownerAnswer });

/** The commands under `owners`. */
export function addOwnerCommands(program: Command, io: Io): void {
  const owners = program.command('owners');
  describe(owners, 'Says whose keys may be used, and until when, over the REST API.', [
    'postern owners put acme --plan pro --active-until 2031-01-31T00:00:00Z',
    'postern owners suspend acme',
    'postern owners list',
  ]);
  const add = callingCommands(owners);
  putOwner(add, io);
  updateOwner(add, io);
  switchOwner(add, io, {
    ...{ name: 'suspend', suspended: true },
    description: 'Stops an owner at once: no key of it is allowed. Its plan and its subscription stay.',
  });
  switchOwner(add, io, {
    ...{ name: 'resume', suspended: false },
    description: 'Ends what "owners suspend" began. Its plan and its subscription are as they were.',
  });
  addGet(add, io);
  addList(add, io);
}

function addGet(add: AddCommand, io: Io): void {
  add('get', 'Shows an owner.', ['postern owners get acme'])
    .argument('<id>', 'the owner that keys name')
    .option('--json', 'print the owner as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const path = ownerPath(id);
      const client = await connect(io, flags);
      const { data } = await client.call(oneOwner, 'GET', path);
      io.stdout.write(flags.json ? printableJson(data) : ownerDetails(data));
    });
}

function addList(add: AddCommand, io: Io): void {
  const description = 'Lists the owners that were put, by id. An owner that nobody has put is active.';
  const command = add('list', description, ['postern owners list', 'postern owners list --all --json']);
  addPageFlags(command, 'owners').action((flags: PageFlags) =>
    printList(io, flags, {
      path: '/admin/owners',
      filters: {},
      item: ownerAnswer,
      tableOf: ownerList,
      plural: 'owners',
      none: 'nobody has put an owner',
    }),
  );
}
