import { z } from 'zod';
import { keyAnswer } from '../answers/key-text.ts';
import { settledText } from '../answers/settled-text.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { keyPath } from '../calls/key-path.ts';
import { clearOption, withCleared } from '../terminal/clear-flag.ts';
import { type AddCommand, CommandError, exitCodes, type Io } from '../terminal/command.ts';
import { printable, printableJson } from '../terminal/output.ts';
import { append, label } from './create.ts';
import {
  type LimitFlag,
  rateLimit,
  rateLimitFlag,
  rateLimitMembers,
  rateLimitNote,
} from './rate-limit-flag.ts';

interface UpdateFlags extends ConnectionFlags {
  readonly name?: string;
  readonly permission?: string[];
  readonly role?: string[];
  readonly allowIp?: string[];
  readonly principal?: string[];
  readonly expiresAt?: string;
  readonly plan?: string;
  readonly rateLimit?: LimitFlag[];
  readonly label?: Record<string, string>;
  readonly externalId?: string;
  readonly clear?: (keyof typeof clearable)[];
  readonly ifEtag?: string;
  readonly json?: boolean;
}

/** What `--clear` takes → the field of the API that becomes empty. */
const clearable = {
  permission: 'permissions',
  role: 'roles',
  'allow-ip': 'ip_allowlist',
  'expires-at': 'expires_at',
  plan: 'plan',
  'rate-limit': 'rate_limit',
  label: 'labels',
  'external-id': 'external_id',
  principal: 'principals',
} as const;

const updatedKey = z.object({
  data: keyAnswer.extend({
    effective_at: z.string().optional(),
    unconfirmed_replicas: z.array(z.string()).optional(),
  }),
});

/** `keys update`. */
export function updateKey(add: AddCommand, io: Io): void {
  const description =
    'Changes a key that is there, whose secret stays. What no flag names stays as it is; ' +
    '--permission, --role, --allow-ip, --principal, --rate-limit and --label replace all that there were.';
  add('update', description, [
    'postern keys update key_01k0c6h3v8s9w2m4n5p7q8r9t1 --name "Asset backend, Leeds"',
    'postern keys update key_01k0c6h3v8s9w2m4n5p7q8r9t1 --permission read:assets --permission write:assets',
    'postern keys update key_01k0c6h3v8s9w2m4n5p7q8r9t1 --clear expires-at --rate-limit 100/60s --if-etag v3',
  ])
    .argument('<id>', 'the id of the key, key_…')
    .option('--name <name>', 'what people call it, 1 to 200 characters')
    .option('--permission <permission>', 'what it may do; repeat for more', append)
    .option('--role <role>', 'a role, which gives it its permissions besides; repeat for more', append)
    .option('--allow-ip <cidr>', 'an address or block that may use it; repeat for more', append)
    .option(
      '--principal <name>',
      "whom a caller's certificate may name, a SPIFFE URI or a DNS name; repeat for more",
      append,
    )
    .option('--expires-at <time>', 'when it ends: 2031-01-31T12:00:00Z')
    .option('--plan <plan>', 'the plan whose rate limit holds')
    .option(rateLimitFlag, rateLimitNote, rateLimit)
    .option('--label <name=value>', "the operator's own note; repeat for more", label)
    .option('--external-id <id>', 'what your own system calls it')
    .addOption(clearOption(Object.keys(clearable), 'expires-at becomes never'))
    .option('--if-etag <etag>', 'only if the key is still as "postern keys get" showed it with this etag')
    .option('--json', 'print the key as JSON, with effective_at where something was taken away')
    .action(async (id: string, flags: UpdateFlags) => {
      const path = keyPath(id);
      const body = bodyOf(flags);
      const client = await connect(io, flags);
      const { data } = await client.call(updatedKey, 'PATCH', path, body);
      io.stdout.write(flags.json ? printableJson(data) : updatedText(data));
    });
}

function bodyOf(flags: UpdateFlags): Record<string, unknown> {
  const set = {
    name: flags.name,
    permissions: flags.permission,
    roles: flags.role,
    ip_allowlist: flags.allowIp,
    principals: flags.principal,
    expires_at: flags.expiresAt,
    plan: flags.plan,
    ...rateLimitMembers(flags.rateLimit),
    labels: flags.label,
    external_id: flags.externalId,
  };
  const clear = flags.clear ?? [];
  if (clear.includes('rate-limit') && flags.rateLimit !== undefined) {
    throw new CommandError(exitCodes.usage, ['--rate-limit is both set and cleared', 'Give one of them.']);
  }
  const wanted = withCleared(set, clear, clearable, 'postern keys update --help');
  return { ...wanted, etag: flags.ifEtag };
}

function updatedText(data: z.output<typeof updatedKey>['data']): string {
  const { id, effective_at: at, unconfirmed_replicas: replicas = [] } = data;
  if (at === undefined) return `${printable(`${id} is updated`)}\n`;
  const settled = { effective_at: at, unconfirmed_replicas: replicas };
  return settledText(`${id} is updated`, 'every replica judges by it', settled);
}
