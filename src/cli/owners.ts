import type { Command } from 'commander';
import { z } from 'zod';
import { type ConnectionFlags, callingCommands, connect } from './terminal/client.ts';
import { type AddCommand, CommandError, exitCodes, type Io } from './terminal/command.ts';
import { describe } from './terminal/describe.ts';
import { printableJson } from './terminal/output.ts';
import { ownerAnswer, ownerDetails, ownerList, ownerState } from './terminal/owner-text.ts';
import { addPageFlags, type PageFlags, printList } from './terminal/pages.ts';
import { settledText } from './terminal/settled-text.ts';

interface ShownFlags extends ConnectionFlags {
  readonly json?: boolean;
}

interface PutFlags extends ShownFlags {
  readonly plan?: string;
  readonly activeUntil?: string;
  readonly suspended?: boolean;
}

const oneOwner = z.object({ data: ownerAnswer });
const putAnswer = z.object({
  data: ownerAnswer.extend({ effective_at: z.string(), unconfirmed_replicas: z.array(z.string()) }),
});

/** The commands under `owners`. */
export function addOwnerCommands(program: Command, io: Io): void {
  const owners = program.command('owners');
  describe(owners, 'Says whose keys may be used, and until when, over the REST API.', [
    'postern owners put acme --plan pro --active-until 2031-01-31T00:00:00Z',
    'postern owners put acme --suspended',
    'postern owners list',
  ]);
  const add = callingCommands(owners);
  addPut(add, io);
  addGet(add, io);
  addList(add, io);
}

function addPut(add: AddCommand, io: Io): void {
  const description =
    'Says what an owner is from now on. Replaces all that was said before: ' +
    'without flags the owner is active for good and has no plan.';
  add('put', description, [
    'postern owners put acme --plan pro --active-until 2031-01-31T00:00:00Z',
    'postern owners put acme --suspended',
    'postern owners put acme',
  ])
    .argument('<id>', 'the owner that keys name')
    .option('--plan <plan>', 'the plan of its keys that have none of their own')
    .option('--active-until <time>', 'when its subscription ends: 2031-01-31T12:00:00Z')
    .option('--suspended', 'lets none of its keys in, whatever --active-until says')
    .option('--json', 'print the owner, effective_at and unconfirmed_replicas as JSON')
    .action(async (id: string, flags: PutFlags) => {
      const path = ownerPath(id);
      const client = await connect(io, flags);
      const { data } = await client.call(putAnswer, 'PUT', path, bodyOf(flags));
      io.stdout.write(flags.json ? printableJson(data) : putText(data));
    });
}

function bodyOf({ plan, activeUntil, suspended }: PutFlags): Record<string, unknown> {
  return { plan, active_until: activeUntil, suspended };
}

function putText(data: z.output<typeof putAnswer>['data']): string {
  const until = data.active && data.active_until !== null ? ` until ${data.active_until}` : '';
  return settledText(`${data.id} is ${ownerState(data)}${until}`, 'every replica judges so', data);
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

/** The path of an owner in the REST API. */
function ownerPath(id: string): string {
  // However it is escaped, whoever reads a URL takes such a part for a step through the path.
  if (/^\.{0,2}$/.test(id)) {
    const what = id === '' ? 'the id of an owner is empty' : `the id ${id} has no place in a URL`;
    throw new CommandError(exitCodes.usage, [what, 'The gRPC API takes every id that is not empty.']);
  }
  return `/admin/owners/${encodeURIComponent(id)}`;
}
