import type { Command } from 'commander';
import { z } from 'zod';
import { settledText } from '../answers/settled-text.ts';
import { type ConnectionFlags, callingCommands, connect } from '../calls/client.ts';
import { addPageFlags, type PageFlags, printList } from '../calls/pages.ts';
import { append } from '../keys/create.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { printableJson, table } from '../terminal/output.ts';
import { rolePath } from './role-path.ts';

interface ShownFlags extends ConnectionFlags {
  readonly json?: boolean;
}

interface ChangeFlags extends ShownFlags {
  readonly ifEtag?: string;
}

interface PutFlags extends ChangeFlags {
  readonly permission?: string[];
  readonly description?: string;
}

const roleAnswer = z.looseObject({
  id: z.string(),
  description: z.string().nullable(),
  permissions: z.array(z.string()),
  created_at: z.string(),
  updated_at: z.string(),
  etag: z.string(),
});

type RoleAnswer = z.output<typeof roleAnswer>;

const oneRole = z.object({ data: roleAnswer });
const settledRole = z.object({
  data: roleAnswer.extend({ effective_at: z.string(), unconfirmed_replicas: z.array(z.string()) }),
});

/** The commands under `roles`. */
export function addRoleCommands(program: Command, io: Io): void {
  const roles = program.command('roles');
  describe(roles, 'Gives permissions a name, which keys hold by naming the role, over the REST API.', [
    'postern roles put reader --permission "read:*"',
    'postern roles list',
  ]);
  const add = callingCommands(roles);
  addPut(add, io);
  addGet(add, io);
  addList(add, io);
  addDelete(add, io);
}

function addPut(add: AddCommand, io: Io): void {
  const description =
    'Says what a role gives from now on, to every key that names it. Replaces all that was said before: ' +
    'what no --permission names is gone, everywhere from the time that is printed on.';
  add('put', description, [
    'postern roles put reader --permission "read:*" --description "Reads all there is"',
    'postern roles put editor --permission "read:*" --permission write:assets --if-etag v3',
  ])
    .argument('<id>', 'the role that keys name')
    .option('--permission <permission>', 'what it gives; repeat for more', append)
    .option('--description <text>', 'what it is for')
    .option('--if-etag <etag>', 'only if the role is still as "postern roles get" showed it with this etag')
    .option('--json', 'print the role, effective_at and unconfirmed_replicas as JSON')
    .action(async (id: string, flags: PutFlags) => {
      const path = rolePath(id);
      const { permission, description: text, ifEtag } = flags;
      const body = { permissions: permission ?? [], description: text, etag: ifEtag };
      const client = await connect(io, flags);
      const { data } = await client.call(settledRole, 'PUT', path, body);
      const what = `${data.id} gives ${data.permissions.join(', ') || 'nothing'}`;
      io.stdout.write(flags.json ? printableJson(data) : settledText(what, 'every replica judges so', data));
    });
}

function addGet(add: AddCommand, io: Io): void {
  add('get', 'Shows a role.', ['postern roles get reader'])
    .argument('<id>', 'the role that keys name')
    .option('--json', 'print the role as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const path = rolePath(id);
      const client = await connect(io, flags);
      const { data } = await client.call(oneRole, 'GET', path);
      io.stdout.write(flags.json ? printableJson(data) : roleDetails(data));
    });
}

function addList(add: AddCommand, io: Io): void {
  const examples = ['postern roles list', 'postern roles list --all --json'];
  const command = add('list', 'Lists roles, by id.', examples);
  addPageFlags(command, 'roles').action((flags: PageFlags) =>
    printList(io, flags, {
      path: '/admin/roles',
      filters: {},
      item: roleAnswer,
      tableOf: roleList,
      plural: 'roles',
      none: 'there is no role',
    }),
  );
}

function addDelete(add: AddCommand, io: Io): void {
  const description =
    'Removes a role. Keys go on naming it, and it gives them nothing, everywhere from the time that is printed on.';
  add('delete', description, ['postern roles delete reader'])
    .argument('<id>', 'the role that keys name')
    .option('--if-etag <etag>', 'only if the role is still as "postern roles get" showed it with this etag')
    .option('--json', 'print the role, effective_at and unconfirmed_replicas as JSON')
    .action(async (id: string, flags: ChangeFlags) => {
      const path = rolePath(id);
      const client = await connect(io, flags);
      const { data } = await client.call(settledRole, 'DELETE', path, { etag: flags.ifEtag });
      const text = settledText(`${data.id} is deleted`, 'it gives nothing on any replica', data);
      io.stdout.write(flags.json ? printableJson(data) : text);
    });
}

const listHeader = ['ID', 'PERMISSIONS', 'DESCRIPTION', 'UPDATED'];

function roleList(roles: readonly RoleAnswer[], isFirstPage: boolean): string {
  const rows = roles.map((role) => [
    role.id,
    role.permissions.join(', ') || '-',
    role.description ?? '-',
    role.updated_at,
  ]);
  return table(isFirstPage ? [listHeader, ...rows] : rows);
}

function roleDetails(role: RoleAnswer): string {
  return table([
    ['id', role.id],
    ['description', role.description ?? '-'],
    ['permissions', role.permissions.join(', ') || '-'],
    ['created', role.created_at],
    ['updated', role.updated_at],
    ['etag', role.etag],
  ]);
}
