import { beforeAll, expect, it } from 'vitest';
import { postern } from './console.ts';
import { commandsOf, type HelpedCommand } from './help.ts';

let commands: readonly HelpedCommand[];
beforeAll(async () => {
  commands = await commandsOf();
});

/** A command line of each command that sends fields, and the fields that it may send. */
const sent: readonly (readonly [line: string, fields: string])[] = [
  [
    'keys create --name x',
    'name permissions.0 roles roles.0 ip_allowlist.0 principals.0 expires_at expires_in plan rate_limit.limit ' +
      'rate_limits.0.window labels.a external_id scheme environment owner request_id sha256',
  ],
  [
    'keys update key_01 --name x',
    'name permissions.0 roles.0 ip_allowlist.0 principals.0 expires_at plan rate_limit rate_limits.1.name labels.a ' +
      'external_id etag',
  ],
  [
    'keys list',
    'owner scheme environment state permission role external_id unused_since expires_before search name_contains ' +
      'order_by page_size page_token',
  ],
  [
    'keys revoke-many --owner a --dry-run',
    'filter.owner filter.scheme filter.environment filter.state filter.permission filter.role filter.unused_since ' +
      'filter.expires_before ids.0',
  ],
  ['keys rotate key_01', 'grace_period expires_at expires_in request_id'],
  ['keys charge key_01 1', 'limit request_id'],
  ['owners put a', 'plan active_until suspended name contact labels.a billing_anchor keys_max'],
  [
    'owners update a --plan x',
    'plan active_until suspended name contact labels.a billing_anchor keys_max etag',
  ],
  ['roles put r --permission a', 'description permissions.0 etag'],
  ['portal create --permission keys:read', 'owner permissions.0 return_url expires_in'],
  ['usage', 'group_by interval since until owner order_by page_size'],
  ['requests', 'decision reason owner since until page_size page_token'],
  ['audit list', 'actor action target outcome since until owner page_size page_token'],
];

it.each(sent)(
  'a field that the service refuses is told by a flag of the command: postern %s',
  async (line, fields) => {
    const words = line.split(' ');
    const command = commands.findLast(({ path }) => path.every((word, at) => word === words[at]));
    const details = { fields: fields.split(' ').map((field) => ({ field, description: 'is bad' })) };
    const answer = JSON.stringify({ error: { code: 'INVALID_ARGUMENT', message: 'bad', details } });

    const { stderr, exitCode } = await postern(words, {
      environment: { POSTERN_ADMIN_KEY: 'k'.repeat(40) },
      fetch: async () =>
        new Response(answer, { status: 400, headers: { 'content-type': 'application/json' } }),
    });

    expect(exitCode).toBe(1);
    const named = [...stderr.matchAll(/^ {2}(\S+)(?: \(.*\))?: is bad$/gm)].map(([, flag]) => flag);
    expect(named).toHaveLength(details.fields.length);
    for (const flag of named) expect(command?.flags).toContain(flag);
  },
);

it('units, which are no flag, are called by their name', async () => {
  const details = { fields: [{ field: 'units', description: 'is bad' }] };
  const { stderr } = await postern(['keys', 'charge', 'key_01', '5'], {
    environment: { POSTERN_ADMIN_KEY: 'k'.repeat(40) },
    fetch: async () =>
      Response.json({ error: { code: 'INVALID_ARGUMENT', message: 'bad', details } }, { status: 400 }),
  });
  expect(stderr).toContain('\n  the units: is bad\n');
});

it('a flag whose value has a form of its own is named whole where the value is wrong', async () => {
  const { stderr, exitCode } = await postern(['keys', 'create', '--name', 'x', '--rate-limit', 'often']);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("option '--rate-limit <limit>' argument 'often' is invalid. Write it as");
});
