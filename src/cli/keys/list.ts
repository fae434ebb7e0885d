import { Option } from 'commander';
import { z } from 'zod';
import { listOrderTexts } from '../../keys/key-order.ts';
import { suggestion } from '../../settings/nearest-name.ts';
import { keyAnswer, keyList } from '../answers/key-text.ts';
import type { Client } from '../calls/client.ts';
import { addPageFlags, type PageFlags, printList } from '../calls/pages.ts';
import { actingOwner, ownerFlagNote } from '../terminal/acting-owner.ts';
import { type AddCommand, CommandError, exitCodes, type Io } from '../terminal/command.ts';

interface ListFlags extends PageFlags {
  readonly owner?: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly state?: string;
  readonly permission?: string;
  readonly role?: string;
  readonly externalId?: string;
  readonly unusedSince?: string;
  readonly expiresBefore?: string;
  readonly orderBy?: string;
  readonly nameContains?: string;
  readonly search?: string;
}

/** `keys list`. */
export function listKeys(add: AddCommand, io: Io): void {
  const command = add(
    'list',
    'Lists keys, the newest first unless --order-by says otherwise, without their secrets.',
    [
      'postern keys list',
      'postern keys list --owner acme --state active',
      'postern keys list --search pst_live_s3BT',
      'postern keys list --search team=grid',
      'postern keys list --all --json',
    ],
  )
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
    .option('--role <role>', 'only keys with this role')
    .option('--external-id <id>', 'only keys that your own system calls so')
    .option('--unused-since <time>', 'only keys last used before it, or never and made before it')
    .option('--expires-before <time>', 'only keys that end before it, or have ended')
    .addOption(
      new Option('--order-by <order>', 'what comes first (default: created_at desc)').choices(listOrderTexts),
    )
    .option(
      '--search <text>',
      'an id, the shown beginning of a key, its last four, part of a name, or a label',
    )
    .option('--name-contains <text>', 'only keys with this in their name, in any case');
  addPageFlags(command, 'keys').action((flags: ListFlags) =>
    printList(io, flags, {
      path: '/admin/api-keys',
      filters: { ...filtersOf(flags), owner: actingOwner(io, flags.owner) },
      item: keyAnswer,
      tableOf: keyList,
      plural: 'keys',
      none: 'there is no such key',
      whyNone: (client) => unknownNames(client, flags),
    }),
  );
}

const terms = z.object({
  data: z.object({ schemes: z.array(z.object({ name: z.string(), environments: z.array(z.string()) })) }),
});

/** A filter by a scheme or an environment that there is not, of a service that does not refuse it; `''` when both are there. */
async function unknownNames(client: Client, { scheme, environment }: ListFlags): Promise<string> {
  if (scheme === undefined && environment === undefined) return '';
  const { schemes } = (await client.call(terms, 'GET', '/admin/terms')).data;
  const names = schemes.map(({ name }) => name);
  const environments = [...new Set(schemes.flatMap((one) => one.environments))];
  if (scheme !== undefined && !names.includes(scheme)) {
    return `: no scheme is called "${scheme}"${suggestion(scheme, names)}`;
  }
  if (environment !== undefined && !environments.includes(environment)) {
    return `: no scheme has an environment "${environment}"${suggestion(environment, environments)}`;
  }
  return '';
}

function filtersOf(flags: ListFlags) {
  return {
    scheme: flags.scheme,
    environment: flags.environment,
    state: flags.state,
    permission: flags.permission,
    role: flags.role,
    external_id: flags.externalId,
    unused_since: flags.unusedSince,
    expires_before: flags.expiresBefore,
    order_by: flags.orderBy,
    name_contains: flags.nameContains,
    search: searched(flags.search),
  };
}

/** A whole key stays here: the text goes into a URL. */
function searched(text: string | undefined): string | undefined {
  const isKey = (word: string) =>
    !/^key_[0-9a-z]{26}$/.test(word) && /[A-Za-z0-9]{24}/.test(word) && /[0-9]/.test(word);
  if (text === undefined || !text.split(/\s+/).some(isKey)) return text;
  throw new CommandError(exitCodes.usage, [
    '--search holds what may be a whole key, which does not belong into a URL',
    'Find it by "postern keys find", which reads it from standard input.',
  ]);
}
