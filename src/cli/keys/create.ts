import { InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { keyAnswer } from '../answers/key-text.ts';
import { printKeyWithoutSecret, printSecret } from '../answers/secret-output.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import {
  type LimitFlag,
  rateLimit,
  rateLimitFlag,
  rateLimitMembers,
  rateLimitNote,
} from './rate-limit-flag.ts';
import { usageHint } from './usage-hint.ts';

interface CreateFlags extends ConnectionFlags {
  readonly name: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly owner?: string;
  readonly permission?: string[];
  readonly role?: string[];
  readonly allowIp?: string[];
  readonly principal?: string[];
  readonly expiresIn?: string;
  readonly expiresAt?: string;
  readonly plan?: string;
  readonly rateLimit?: LimitFlag[];
  readonly label?: Record<string, string>;
  readonly externalId?: string;
  readonly requestId?: string;
  readonly sha256?: string;
  readonly json?: boolean;
  readonly hint?: boolean;
}

const createdKey = z.object({ data: keyAnswer.extend({ key: z.string().nullable() }) });

/** `keys create`. */
export function createKey(add: AddCommand, io: Io): void {
  const description =
    'Makes a key. On a terminal it prints the key and all about it; elsewhere the key alone, on one line.';
  add('create', description, [
    'postern keys create --name "Asset backend" --permission read:assets --expires-in 90d',
    'postern keys create --name ci --owner acme --rate-limit 100/60s --label team=grid',
    'API_KEY=$(postern keys create --name ci --request-id "$CI_PIPELINE_ID")',
  ])
    .requiredOption('--name <name>', 'what people call it, 1 to 200 characters')
    .option('--scheme <scheme>', "whose form it has (default: the service's first scheme)")
    .option('--environment <environment>', 'where it is valid, such as live or test')
    .option('--owner <owner>', `who it belongs to, ${ownerFlagNote}`)
    .option('--permission <permission>', 'what it may do; repeat for more', append)
    .option('--role <role>', 'a role, which gives it its permissions besides; repeat for more', append)
    .option(
      '--allow-ip <cidr>',
      'an address or block that may use it; repeat for more; without it, every address',
      append,
    )
    .option(
      '--principal <name>',
      "whom a caller's certificate may name, a SPIFFE URI or a DNS name; repeat for more",
      append,
    )
    .addOption(
      new Option('--expires-in <duration>', 'how long it lives: 36h, 30d, never').conflicts('expiresAt'),
    )
    .option('--expires-at <time>', 'when it ends: 2031-01-31T12:00:00Z')
    .option('--plan <plan>', 'the plan whose rate limit holds')
    .option(rateLimitFlag, rateLimitNote, rateLimit)
    .option('--label <name=value>', "the operator's own note; repeat for more", label)
    .option('--external-id <id>', 'what your own system calls it')
    .option('--request-id <id>', 'makes a retry safe: the same id makes no second key')
    .option('--sha256 <digest>', 'of a secret that was made elsewhere, which then nobody is told')
    .option('--hint', 'say how the key is used, on standard error, as on a terminal')
    .option('--json', 'print the key and all about it as JSON')
    .action(async (flags: CreateFlags) => {
      const body = { ...bodyOf(flags), owner: actingOwner(io, flags.owner) };
      const client = await connect(io, flags);
      const { data } = await client.call(createdKey, 'POST', '/admin/api-keys', body);
      if (flags.sha256 === undefined) printSecret(io, data, flags);
      else printKeyWithoutSecret(io, data, flags);
      if (data.key !== null && (flags.hint || io.stdout.isTTY)) {
        const hint = await usageHint(client, data.scheme);
        if (hint !== null) io.stderr.write(`Use it through your proxy, with the key in KEY:\n\n  ${hint}\n`);
      }
    });
}

function bodyOf(flags: CreateFlags): Record<string, unknown> {
  return {
    name: flags.name,
    scheme: flags.scheme,
    environment: flags.environment,
    permissions: flags.permission,
    roles: flags.role,
    ip_allowlist: flags.allowIp,
    principals: flags.principal,
    expires_in: flags.expiresIn,
    expires_at: flags.expiresAt,
    plan: flags.plan,
    ...rateLimitMembers(flags.rateLimit),
    labels: flags.label,
    external_id: flags.externalId,
    request_id: flags.requestId,
    sha256: flags.sha256,
  };
}

/** Gathers the values of a flag that may be repeated. */
export function append(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** Gathers `name=value` of a flag that may be repeated. */
export function label(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Write it as NAME=VALUE.');
  const name = text.slice(0, at);
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: text.slice(at + 1) };
}
