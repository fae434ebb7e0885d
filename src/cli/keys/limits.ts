import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { keyPath } from '../calls/key-path.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { printable, printableJson, table } from '../terminal/output.ts';

interface ShownFlags extends ConnectionFlags {
  readonly json?: boolean;
}

interface ChargeFlags extends ShownFlags {
  readonly limit?: string;
  readonly requestId?: string;
}

const limitAnswer = z.looseObject({
  name: z.string(),
  limit: z.number(),
  used: z.number(),
  remaining: z.number(),
  resets_at: z.string().nullable(),
  shared_by: z.string(),
});
const limitsAnswer = z.object({ data: z.array(limitAnswer) });
const chargedAnswer = z.object({ data: limitAnswer });

type LimitAnswer = z.output<typeof limitAnswer>;

/** `keys limits`. */
export function showLimits(add: AddCommand, io: Io): void {
  add('limits', 'Shows how a key stands with each of its limits.', [
    'postern keys limits key_01k0c6h3v8s9w2m4n5p7q8r9t1',
  ])
    .argument('<id>', 'the id of the key, key_…')
    .option('--json', 'print the limits as JSON')
    .action(async (id: string, flags: ShownFlags) => {
      const path = `${keyPath(id)}/limits`;
      const client = await connect(io, flags);
      const { data } = await client.call(limitsAnswer, 'GET', path);
      if (flags.json) io.stdout.write(printableJson(data));
      else io.stdout.write(data.length === 0 ? printable('the key has no limit\n') : limitsText(data));
    });
}

/** `keys charge`. */
export function chargeKey(add: AddCommand, io: Io): void {
  const description =
    'Spends units of a limit after the fact, beyond what is left too. ' +
    'Units below 0 give back, and top up a limit that never resets; write them behind --.';
  add('charge', description, [
    'postern keys charge key_01k0c6h3v8s9w2m4n5p7q8r9t1 1200 --limit tokens --request-id 7f3a',
    'postern keys charge key_01k0c6h3v8s9w2m4n5p7q8r9t1 --limit tokens -- -5000',
  ])
    .argument('<id>', 'the id of the key, key_…')
    .argument('<units>', 'how many units', units)
    .option('--limit <name>', 'the name of the limit; may be left out where there is one')
    .option('--request-id <id>', 'makes a retry safe: the same id counts once')
    .option('--json', 'print the limit as JSON')
    .action(async (id: string, count: number, flags: ChargeFlags) => {
      const path = `${keyPath(id)}:charge`;
      const body = { limit: flags.limit, units: count, request_id: flags.requestId };
      const client = await connect(io, flags);
      const { data } = await client.call(chargedAnswer, 'POST', path, body);
      io.stdout.write(flags.json ? printableJson(data) : limitsText([data]));
    });
}

function limitsText(limits: readonly LimitAnswer[]): string {
  const head = ['LIMIT', 'USED', 'OF', 'REMAINING', 'RESETS', 'SHARED BY'];
  const rows = limits.map(({ name, limit, used, remaining, resets_at, shared_by }) => [
    ...[name, String(used), String(limit), String(remaining), resets_at ?? 'never', shared_by],
  ]);
  return table([head, ...rows]);
}

function units(text: string): number {
  if (/^-?[0-9]{1,16}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write it as a whole number.');
}
