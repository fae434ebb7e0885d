import { Option } from 'commander';
import { z } from 'zod';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { readPresentedKey } from '../files/secret-input.ts';
import { type AddCommand, type ExitCode, exitCodes, type Io } from '../terminal/command.ts';
import { printable, printableJson } from '../terminal/output.ts';
import { append } from './create.ts';

interface VerifyFlags extends ConnectionFlags {
  readonly keyFile?: string;
  readonly scheme?: string;
  readonly environment?: string;
  readonly permission?: string[];
  readonly clientIp?: string;
  readonly addressOfCaller?: string;
  readonly principal?: string;
  readonly method?: string;
  readonly host?: string;
  readonly path?: string;
  readonly json?: boolean;
}

const verification = z.object({
  data: z.object({
    allowed: z.boolean(),
    reason: z.string().nullable(),
    status: z.number(),
    key_id: z.string().nullable(),
    observed: z.boolean().optional(),
  }),
});

/** `keys verify`: ends with 0 when the key is allowed, with 3 when it is not. */
export function verifyKey(add: AddCommand, io: Io, exit: (code: ExitCode) => void): void {
  const description =
    'Says what a Check would say of a key, which is read from standard input, and counts no use. ' +
    'Ends with 0 when the key is allowed, with 3 when it is not.';
  add('verify', description, [
    'postern keys verify < key.txt',
    'postern keys verify --key-file key.txt --permission read:assets --client-ip 203.0.113.7',
  ])
    .option('--key-file <file>', 'read the key from this file')
    .option('--scheme <scheme>', 'as a route for this scheme')
    .option('--environment <environment>', 'as a route of this environment')
    .option('--permission <permission>', 'as a route that asks for it; repeat for more', append)
    .option('--client-ip <ip>', 'as a request from this address')
    .addOption(new Option('--address-of-caller <ip>', 'what --client-ip was called').hideHelp())
    .option('--principal <name>', 'as a request whose certificate names it')
    .option('--method <method>', 'as a request with this method')
    .option('--host <host>', 'as a request to this host')
    .option('--path <path>', 'as a request for this path')
    .option('--json', 'print allowed, reason, status and key_id as JSON')
    .action(async (flags: VerifyFlags) => {
      const key = await readPresentedKey(io, flags);
      const client = await connect(io, flags);
      const { data } = await client.call(verification, 'POST', '/admin/api-keys:verify', bodyOf(key, flags));
      const id = data.key_id === null ? '' : ` ${data.key_id}`;
      const wouldBe =
        data.reason === null ? '' : `; enforced, it would be denied: ${data.reason} (${data.status})`;
      const text = data.allowed
        ? `allowed${id}${data.observed ? `, only observed${wouldBe}` : ''}`
        : `denied${id}: ${data.reason ?? 'unknown'} (${data.status})`;
      io.stdout.write(flags.json ? printableJson(data) : `${printable(text)}\n`);
      exit(data.allowed ? exitCodes.done : exitCodes.denied);
    });
}

function bodyOf(key: string, flags: VerifyFlags): Record<string, unknown> {
  return {
    key,
    scheme: flags.scheme,
    environment: flags.environment,
    permissions: flags.permission,
    address: flags.clientIp ?? flags.addressOfCaller,
    principal: flags.principal,
    method: flags.method,
    host: flags.host,
    path: flags.path,
  };
}
