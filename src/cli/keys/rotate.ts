import { Option } from 'commander';
import { z } from 'zod';
import { keyAnswer } from '../answers/key-text.ts';
import { printSecret } from '../answers/secret-output.ts';
import { settledText } from '../answers/settled-text.ts';
import { type ConnectionFlags, connect } from '../calls/client.ts';
import { keyPath } from '../calls/key-path.ts';
import type { AddCommand, Io } from '../terminal/command.ts';
import { printable } from '../terminal/output.ts';

interface RotateFlags extends ConnectionFlags {
  readonly grace?: string;
  readonly expiresIn?: string;
  readonly expiresAt?: string;
  readonly requestId?: string;
  readonly json?: boolean;
}

const rotation = z.object({
  data: keyAnswer.extend({
    key: z.string().nullable(),
    rotated_key: keyAnswer.nullable(),
    effective_at: z.string(),
    unconfirmed_replicas: z.array(z.string()),
  }),
});

/** `keys rotate`. */
export function rotateKey(add: AddCommand, io: Io): void {
  const description =
    'Makes a new key with the same grants, and lets the old one end after a grace period, during which both ' +
    'share one rate limit. On a terminal it prints the new key and all about it; elsewhere the new key alone.';
  add('rotate', description, [
    'postern keys rotate key_01k0c6h3v8s9w2m4n5p7q8r9t1 --grace 24h',
    'NEW_KEY=$(postern keys rotate key_01k0c6h3v8s9w2m4n5p7q8r9t1 --grace 7d --request-id "$CI_PIPELINE_ID")',
    'postern keys rotate key_01k0c6h3v8s9w2m4n5p7q8r9t1 --expires-in 90d',
  ])
    .argument('<id>', 'the id of the old key, key_…')
    .option(
      '--grace <duration>',
      'how long the old key is still allowed: 90s, 24h, 7d (default: it ends at once)',
    )
    .addOption(
      new Option('--expires-in <duration>', 'how long the new key lives: 36h, 30d, never').conflicts(
        'expiresAt',
      ),
    )
    .option(
      '--expires-at <time>',
      'when the new key ends: 2031-01-31T12:00:00Z (default: as the old one would)',
    )
    .option('--request-id <id>', 'makes a retry safe: the same id makes no second key')
    .option('--json', 'print the new key, rotated_key, effective_at and unconfirmed_replicas as JSON')
    .action(async (id: string, flags: RotateFlags) => {
      const path = `${keyPath(id)}/rotate`;
      const client = await connect(io, flags);
      const { data } = await client.call(rotation, 'POST', path, bodyOf(flags));
      if (!flags.json && data.rotated_key !== null) io.stderr.write(oldKeyText(data.rotated_key, data));
      printSecret(io, data, flags);
    });
}

function bodyOf({ grace, expiresIn, expiresAt, requestId }: RotateFlags): Record<string, unknown> {
  return { grace_period: grace, expires_in: expiresIn, expires_at: expiresAt, request_id: requestId };
}

function oldKeyText(
  { id, expires_at: end }: z.output<typeof keyAnswer>,
  data: z.output<typeof rotation>['data'],
): string {
  const what = `postern: the old key ${id} ends at ${end}`;
  const isConfirmed = data.unconfirmed_replicas.length === 0;
  return isConfirmed ? `${printable(what)}\n` : settledText(what, 'every replica knows so', data);
}
