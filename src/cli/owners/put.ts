import { z } from 'zod';
import { type OwnerAnswer, ownerAnswer, ownerStateText } from '../answers/owner-text.ts';
import { settledText } from '../answers/settled-text.ts';
import { type Client, type ConnectionFlags, connect } from '../calls/client.ts';
import { type AddCommand, CommandError, type Io } from '../terminal/command.ts';
import { printable, printableJson } from '../terminal/output.ts';
import { type AccountFlags, accountMembers, addAccountFlags } from './account-flags.ts';
import { ownerPath } from './owner-path.ts';

interface PutFlags extends ConnectionFlags, AccountFlags {
  readonly plan?: string;
  readonly activeUntil?: string;
  readonly suspended?: boolean;
  readonly json?: boolean;
}

const oneOwner = z.object({ data: ownerAnswer });
const putAnswer = z.object({
  data: ownerAnswer.extend({ effective_at: z.string(), unconfirmed_replicas: z.array(z.string()) }),
});

/** `owners put`. */
export function putOwner(add: AddCommand, io: Io): void {
  const description =
    'Says what an owner is from now on. Replaces all that was said before: ' +
    'without flags the owner is active for good and has no plan. ' +
    'What it takes away is said on standard error; "owners update" and "owners suspend" leave the rest as it is.';
  const command = add('put', description, [
    'postern owners put acme --plan pro --active-until 2031-01-31T00:00:00Z',
    'postern owners put acme',
  ])
    .argument('<id>', 'the owner that keys name')
    .option('--plan <plan>', 'the plan of its keys that have none of their own')
    .option('--active-until <time>', 'when its subscription ends: 2031-01-31T12:00:00Z')
    .option('--suspended', 'no key of it is allowed, whatever --active-until says');
  addAccountFlags(command)
    .option('--json', 'print the owner, effective_at and unconfirmed_replicas as JSON')
    .action(async (id: string, flags: PutFlags) => {
      const path = ownerPath(id);
      const { plan, activeUntil, suspended } = flags;
      const body = { plan, active_until: activeUntil, suspended, ...accountMembers(flags) };
      const client = await connect(io, flags);
      const before = await ownerOrNull(client, path);
      const { data } = await client.call(putAnswer, 'PUT', path, body);
      if (before !== null) io.stderr.write(replacedText(before, data));
      io.stdout.write(
        flags.json ? printableJson(data) : settledText(ownerStateText(data), 'every replica judges so', data),
      );
    });
}

/** Null for an owner that nobody has put. */
async function ownerOrNull(client: Client, path: string): Promise<OwnerAnswer | null> {
  try {
    return (await client.call(oneOwner, 'GET', path)).data;
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'OWNER_NOT_FOUND') return null;
    throw error;
  }
}

/** What a put took away that no flag named, and how it comes back; empty for nothing. */
function replacedText(before: OwnerAnswer, after: OwnerAnswer): string {
  const lost: readonly (readonly [what: string, flag: string])[] = [
    ...(before.plan !== null && after.plan === null
      ? [[`its plan ${before.plan}`, `--plan ${before.plan}`] as const]
      : []),
    ...(before.active_until !== null && after.active_until === null
      ? [[`its end ${before.active_until}`, `--active-until ${before.active_until}`] as const]
      : []),
    ...(before.suspended && !after.suspended ? [['its suspension', '--suspended'] as const] : []),
    ...lostAccount(before, after),
  ];
  if (lost.length === 0) return '';
  const what = lost.map(([name]) => name).join(', ');
  const flags = lost.map(([, flag]) => flag).join(' ');
  const lines = [
    `postern: this took away ${what}; to have it again:`,
    `  postern owners update ${before.id} ${flags}`,
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

const accountFlags = [
  ['name', '--name'],
  ['contact', '--contact'],
  ['billing_anchor', '--billing-anchor'],
  ['keys_max', '--keys-max'],
] as const;

function lostAccount(before: OwnerAnswer, after: OwnerAnswer): (readonly [what: string, flag: string])[] {
  const lost = accountFlags
    .filter(([member]) => before[member] != null && after[member] == null)
    .map(([member, flag]) => {
      const value = String(before[member]);
      const quoted = /^[A-Za-z0-9@.:_+-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
      return [`its ${member.replace('_', ' ')} ${value}`, `${flag} ${quoted}`] as const;
    });
  const labels = Object.entries(before.labels ?? {});
  const areGone = labels.length > 0 && Object.keys(after.labels ?? {}).length === 0;
  const flags = labels
    .map(([name, value]) => `--label '${name}=${value.replaceAll("'", "'\\''")}'`)
    .join(' ');
  return areGone ? [...lost, ['its labels', flags]] : lost;
}
