import { z } from 'zod';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { keyPath } from '../calls/key-path.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { printable, printableJson, table } from '../terminal/output.ts';

interface UsageFlags extends ConnectionFlags {
  readonly since?: string;
  readonly json?: boolean;
}

const usageAnswer = z.object({
  data: z.object({
    buckets: z.array(
      z.object({
        start: z.string(),
        allowed: z.number(),
        denied: z.record(z.string(), z.number()),
        observed: z.record(z.string(), z.number()).default({}),
      }),
    ),
    last_used_at: z.string().nullable(),
    addresses: z.array(z.string()),
  }),
});

type Usage = z.output<typeof usageAnswer>['data'];

/** `keys usage`. */
export function showUsage(add: AddCommand, io: Io): void {
  add('usage', "Shows what became of a key's requests, hour by hour, up to 90 days back.", [
    'postern keys usage key_01k0c6h3v8s9w2m4n5p7q8r9t1',
    'postern keys usage key_01k0c6h3v8s9w2m4n5p7q8r9t1 --since 2031-01-31T00:00:00Z --json',
  ])
    .argument('<id>', 'the id of the key, key_…')
    .option('--since <time>', 'from the hour of this time on: 2031-01-31T12:00:00Z')
    .option('--json', 'print the hours, the last use and the addresses as JSON')
    .action(async (id: string, flags: UsageFlags) => {
      const query = flags.since === undefined ? '' : `?${new URLSearchParams({ since: flags.since })}`;
      const path = `${keyPath(id)}/usage${query}`;
      const client = await connect(io, flags);
      const { data } = await client.call(usageAnswer, 'GET', path);
      io.stdout.write(flags.json ? printableJson(data) : usageText(data));
    });
}

function usageText({ buckets, last_used_at: lastUsedAt, addresses }: Usage): string {
  const isObserved = buckets.some(({ observed }) => Object.keys(observed).length > 0);
  const rows = buckets.map(({ start, allowed, denied, observed }) => [
    ...[start, String(allowed), byReason(denied)],
    ...(isObserved ? [byReason(observed)] : []),
  ]);
  const head = ['HOUR', 'ALLOWED', 'DENIED', ...(isObserved ? ['OBSERVED'] : [])];
  const hours = rows.length === 0 ? '' : `${table([head, ...rows])}\n`;
  const lines = [`last used: ${lastUsedAt ?? 'never'}`, `addresses: ${addresses.join(', ') || '-'}`];
  return hours + lines.map((line) => `${printable(line)}\n`).join('');
}

function byReason(counts: Readonly<Record<string, number>>): string {
  const texts = Object.entries(counts).map(([reason, count]) => `${reason} ${count}`);
  return texts.join(', ') || '-';
}
