import { z } from 'zod';
import { ownerAnswer, ownerStateText } from '../answers/owner-text.ts';
import { settledText } from '../answers/settled-text.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { clearOption, withCleared } from '../terminal/clear-flag.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { printable, printableJson } from '../terminal/output.ts';
import { type AccountFlags, accountMembers, addAccountFlags } from './account-flags.ts';
import { ownerPath } from './owner-path.ts';

interface ShownFlags extends ConnectionFlags {
  readonly json?: boolean;
}

interface UpdateFlags extends ShownFlags, AccountFlags {
  readonly plan?: string;
  readonly activeUntil?: string;
  readonly suspended?: boolean;
  readonly clear?: (keyof typeof clearable)[];
  readonly ifEtag?: string;
}

/** What `--clear` takes → the field of the API that becomes empty. */
const clearable = {
  plan: 'plan',
  'active-until': 'active_until',
  suspended: 'suspended',
  name: 'name',
  contact: 'contact',
  label: 'labels',
  'billing-anchor': 'billing_anchor',
  'keys-max': 'keys_max',
} as const;

const updatedAnswer = z.object({
  data: ownerAnswer.extend({
    effective_at: z.string().optional(),
    unconfirmed_replicas: z.array(z.string()).optional(),
  }),
});

/** `owners update`. */
export function updateOwner(add: AddCommand, io: Io): void {
  const command = add('update', 'Changes an owner that is there. What no flag names stays as it is.', [
    'postern owners update acme --plan pro',
    'postern owners update acme --clear active-until',
    'postern owners update acme --active-until 2031-01-31T00:00:00Z --if-etag v3',
  ])
    .argument('<id>', 'the owner that keys name')
    .option('--plan <plan>', 'the plan of its keys that have none of their own')
    .option('--active-until <time>', 'when its subscription ends: 2031-01-31T12:00:00Z')
    .option('--suspended', 'no key of it is allowed, whatever --active-until says');
  addAccountFlags(command)
    .addOption(clearOption(Object.keys(clearable), 'active-until becomes never'))
    .option('--if-etag <etag>', 'only if the owner is still as "postern owners get" showed it with this etag')
    .option('--json', 'print the owner as JSON, with effective_at where something was taken away')
    .action(async (id: string, flags: UpdateFlags) => {
      const { plan, activeUntil, suspended, clear = [], ifEtag: etag } = flags;
      const set = { plan, active_until: activeUntil, suspended, ...accountMembers(flags) };
      const what = withCleared(set, clear, clearable, 'postern owners update --help');
      await update(io, id, flags, { ...what, etag });
    });
}

/** A command that changes whether an owner is suspended, and nothing else. */
export interface Switch {
  readonly name: string;
  readonly description: string;
  readonly suspended: boolean;
}

export function switchOwner(add: AddCommand, io: Io, { name, description, suspended }: Switch): void {
  add(name, description, [`postern owners ${name} acme`])
    .argument('<id>', 'the owner that keys name')
    .option('--json', 'print the owner as JSON, with effective_at where something was taken away')
    .action((id: string, flags: ShownFlags) => update(io, id, flags, { suspended }));
}

async function update(io: Io, id: string, flags: ShownFlags, body: object): Promise<void> {
  const path = ownerPath(id);
  const client = await connect(io, flags);
  const { data } = await client.call(updatedAnswer, 'PATCH', path, body);
  io.stdout.write(flags.json ? printableJson(data) : updatedText(data));
}

function updatedText(data: z.output<typeof updatedAnswer>['data']): string {
  const { effective_at, unconfirmed_replicas = [] } = data;
  if (effective_at === undefined) return `${printable(ownerStateText(data))}\n`;
  return settledText(ownerStateText(data), 'every replica judges so', { effective_at, unconfirmed_replicas });
}
