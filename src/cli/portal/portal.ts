import type { Command } from 'commander';
import { z } from 'zod';
import { type ConnectionFlags, callingCommands, connect } from '../calls/client.ts';
import { append } from '../keys/create.ts';
import { type AddCommand, CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { describe } from '../terminal/describe.ts';
import { printableJson } from '../terminal/output.ts';

interface CreateFlags extends ConnectionFlags {
  readonly owner?: string;
  readonly permission?: string[];
  readonly returnUrl?: string;
  readonly expiresIn?: string;
  readonly json?: boolean;
}

interface EndFlags extends ConnectionFlags {
  readonly json?: boolean;
}

const madeSession = z.object({
  data: z.object({ id: z.string(), url: z.string(), expires_at: z.string() }),
});
const oneSession = z.object({
  data: z.looseObject({ id: z.string(), ended_at: z.string().nullable(), expires_at: z.string() }),
});

/** The commands under `portal`. */
export function addPortalCommands(program: Command, io: Io): void {
  const portal = program.command('portal');
  describe(
    portal,
    'Makes links by which customers look after their keys in the console, over the REST API.',
    ['postern portal create --owner acme --permission keys:write --permission usage:read'],
  );
  const add = callingCommands(portal);
  addCreate(add, io);
  addEnd(add, io);
}

function addCreate(add: AddCommand, io: Io): void {
  const description =
    'Makes a link that opens the console for the keys of one owner: once, within 5 minutes. The link is printed on ' +
    'standard output, and nothing else is.';
  add('create', description, [
    'postern portal create --owner acme --permission keys:read',
    'postern portal create --owner acme --permission keys:write --expires-in 2h --return-url https://portal.example.com/settings',
  ])
    .option('--owner <owner>', 'whose keys it is for (default: the owner of the admin key)')
    .option('--permission <permission>', 'keys:read, keys:write or usage:read; repeat for more', append)
    .option('--return-url <url>', 'where a link on every page leads back to')
    .option('--expires-in <duration>', 'how long the session lasts, 1s to 24h (default: 1h)')
    .option('--json', 'print id, url and expires_at as JSON')
    .action(async (flags: CreateFlags) => {
      if (flags.permission === undefined) {
        throw new CommandError(exitCodes.usage, [
          '--permission is missing',
          'See: postern portal create --help',
        ]);
      }
      const { owner, permission: permissions, returnUrl: return_url, expiresIn: expires_in } = flags;
      const client = await connect(io, flags);
      const body = { owner, permissions, return_url, expires_in };
      const { data } = await client.call(madeSession, 'POST', '/admin/portal-sessions', body);
      io.stdout.write(flags.json ? printableJson(data) : `${data.url}\n`);
      if (!flags.json) io.stderr.write(`${data.id} lasts until ${data.expires_at}\n`);
    });
}

function addEnd(add: AddCommand, io: Io): void {
  const description = 'Ends a portal session on every replica: no page is shown by it any more.';
  add('end', description, ['postern portal end ps_q2V8yM0sT1aZr7Kd9bXc3w'])
    .argument('<id>', 'the session, as "postern portal create" named it')
    .option('--json', 'print the session as JSON')
    .action(async (id: string, flags: EndFlags) => {
      if (!/^ps_[\w-]+$/.test(id)) {
        throw new CommandError(exitCodes.usage, [
          'this is not the id of a portal session, which begins with ps_',
        ]);
      }
      const client = await connect(io, flags);
      const { data } = await client.call(oneSession, 'DELETE', `/admin/portal-sessions/${id}`);
      const ended = `${data.id} ended at ${data.ended_at ?? data.expires_at}\n`;
      io.stdout.write(flags.json ? printableJson(data) : ended);
    });
}
