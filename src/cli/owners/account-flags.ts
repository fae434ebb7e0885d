import { type Command, InvalidArgumentError } from 'commander';
import { label } from '../keys/create.ts';

/** What describes an owner and bounds it, as flags of a command. */
export interface AccountFlags {
  readonly name?: string;
  readonly contact?: string;
  readonly label?: Record<string, string>;
  readonly billingAnchor?: string;
  readonly keysMax?: number;
}

export function addAccountFlags(command: Command): Command {
  return command
    .option('--name <name>', 'what people call it')
    .option('--contact <contact>', 'whom to write to')
    .option('--label <name=value>', "the operator's own note; repeat for more", label)
    .option('--billing-anchor <time>', 'from when the periods of its limits run: 2031-01-15T00:00:00Z')
    .option('--keys-max <count>', 'the most keys that it may have', count);
}

/** The members of the body that say it. */
export function accountMembers(flags: AccountFlags): Record<string, unknown> {
  return {
    name: flags.name,
    contact: flags.contact,
    labels: flags.label,
    billing_anchor: flags.billingAnchor,
    keys_max: flags.keysMax,
  };
}

function count(text: string): number {
  if (/^[0-9]{1,10}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write it as a whole number.');
}
