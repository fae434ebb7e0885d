import fc from 'fast-check';
import type {
  AuditFilter,
  Expiry,
  KeyFilter,
  KeyWish,
  Page,
  Patch,
  Presented,
  Row,
  Step,
  Who,
} from './step.ts';

const words = ['Alpha', 'beta', 'GAMMA', 'İstanbul'];
const roles = ['reader', 'ops/all'];
const owners = ['acme', 'globex', 'initech'];
const networks = ['10.0.0.0/8', '127.0.0.0/8', '2001:db8::/32'];
const labels = [{}, { team: 'grid' }, { team: 'web', tier: '' }];
const second = 1_000;
const times = [second, 90 * second, 3_600 * second, 86_400 * second];

const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { freq: 2 });
const given = <T extends object>(members: { [Name in keyof T]: fc.Arbitrary<T[Name]> }) =>
  fc.record(members, { requiredKeys: [] }) as fc.Arbitrary<T>;
const some = <T>(values: readonly T[]) => fc.subarray([...values]);

/** The keys of admins are the first; of them, too, something becomes now and then. */
const key = fc.oneof({ weight: 1, arbitrary: fc.nat(6) }, { weight: 9, arbitrary: fc.nat(999) });
const weighted = <T>(...choices: readonly (readonly [weight: number, T])[]) =>
  fc.oneof(...choices.map(([weight, value]) => ({ weight, arbitrary: fc.constant(value) })));
const who: fc.Arbitrary<Who> = fc.oneof(
  {
    weight: 12,
    arbitrary: weighted<Who>(
      [6, 'root'],
      [6, 0],
      [1, 1],
      [6, 2],
      [1, 3],
      [6, 4],
      [1, 5],
      [1, 6],
      [1, 'nobody'],
    ),
  },
  { weight: 1, arbitrary: fc.nat(999) },
);
const owner = fc.oneof(fc.constant(null), fc.constantFrom(...owners));
const request = maybe(fc.constantFrom('r1', 'r2', 'r3'));
const permissions = some(['read:a', 'write:a', 'read:b', 'admin:read', 'admin:write']);
const plan = fc.constantFrom(null, null, 'free', 'pro', 'gold');
const rateLimit = maybe(
  fc.record({ limit: fc.constantFrom(1, 100), windowMs: fc.constantFrom(second, 60 * second) }),
);
const expiry: fc.Arbitrary<Expiry> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('none' as const, 'never' as const) },
  { weight: 1, arbitrary: fc.constantFrom('both' as const, { at: -second }, { at: 0 }) },
  { weight: 4, arbitrary: fc.constantFrom(...times).map((ms) => ({ in: ms })) },
  { weight: 4, arbitrary: fc.constantFrom(1, 1_500, ...times).map((ms) => ({ at: ms })) },
);
const presented: fc.Arbitrary<Presented> = fc.oneof(
  { weight: 6, arbitrary: key.map((number) => ({ key: number })) },
  { weight: 3, arbitrary: fc.nat(5).map((number) => ({ spare: number })) },
  { weight: 1, arbitrary: fc.constant('rubbish' as const) },
);
const page: fc.Arbitrary<Page> = fc.record({
  size: fc.constantFrom(null, 0, 1, 2, 3, 1_000, 5_000),
  token: fc.option(fc.nat(3), { freq: 2 }),
});

const etag = fc.constantFrom('none' as const, 'none' as const, 'right' as const, 'stale' as const);

const wish: fc.Arbitrary<KeyWish> = fc.record({
  word: fc.constantFrom(...words),
  scheme: weighted<string | null>(
    [6, null],
    [2, 'postern'],
    [2, 'powerverse'],
    [2, 'converra'],
    [1, 'nothing'],
  ),
  environment: weighted<string | null>([9, null], [3, 'live'], [3, 'test'], [1, 'moon']),
  owner,
  permissions,
  ipAllowlist: some(networks),
  expiry,
  plan,
  rateLimit,
  labels: fc.constantFrom(...labels),
});

const patch = given<Patch>({
  word: fc.constantFrom(...words),
  permissions: maybe(permissions),
  ipAllowlist: maybe(some(networks)),
  expiresIn: maybe(fc.constantFrom(-second, 1, ...times)),
  plan,
  rateLimit,
  labels: maybe(fc.constantFrom(...labels)),
}) as fc.Arbitrary<Patch>;

const row: fc.Arbitrary<Row> = fc.record({
  secret: presented,
  as: fc.constantFrom('secret', 'sha256'),
  owner,
  permissions,
  expiresInMs: maybe(fc.constantFrom(-second, ...times)),
  disabled: fc.boolean(),
});

const keyFilter = given<KeyFilter>({
  owner: fc.constantFrom(...owners),
  scheme: fc.constantFrom('postern', 'powerverse', 'converra', 'mira'),
  environment: fc.constantFrom('live', 'test'),
  state: fc.constantFrom('active', 'disabled', 'revoked', 'expired'),
  permission: fc.constantFrom('read:a', 'admin:write', 'read:'),
  name_contains: fc.constantFrom('ALPHA', 'beta', 'a', 'stan', '%', '.'),
});
const place = fc.nat(200);
const auditFilter = given<AuditFilter>({
  owner: fc.constantFrom(...owners),
  actor: fc.nat(6),
  action: fc.constantFrom(
    'CreateKey',
    'UpdateKey',
    'RotateKey',
    'RevokeKey',
    'GetKey',
    'PutOwner',
    'UpdateOwner',
    'PutRole',
    'DeleteRole',
  ),
  target: key,
  outcome: fc.constantFrom('ok', 'refused'),
  since: place,
  until: place,
  order: fc.constantFrom('newest', 'oldest'),
  after: place,
});
/** Few filters leave something to see. */
const sparse = <T extends object>(filter: fc.Arbitrary<T>) =>
  fc.tuple(filter, fc.nat(2), fc.nat(7)).map(([all, count, turn]) => {
    const entries = Object.entries(all);
    const turned = [...entries.slice(turn % (entries.length + 1)), ...entries];
    return Object.fromEntries(turned.slice(0, Math.min(count, entries.length))) as T;
  });

const kinds = {
  create: { weight: 22, members: fc.record({ wish, request }) },
  get: { weight: 5, members: fc.record({ key }) },
  list: { weight: 11, members: fc.record({ filter: sparse(keyFilter), page }) },
  usage: { weight: 2, members: fc.record({ key, sinceHours: maybe(fc.nat(3)) }) },
  use: { weight: 2, members: fc.record({ key, allowed: fc.nat(2), denied: fc.nat(2) }) },
  verify: {
    weight: 7,
    members: fc.record({
      secret: presented,
      terms: fc.record({
        environment: fc.constantFrom(null, null, 'live', 'test'),
        address: fc.constantFrom(null, '10.1.2.3', '127.0.0.1', '2001:db8::7', '192.0.2.1'),
        permissions: some(['read:a', 'read:b']),
      }),
    }),
  },
  update: {
    weight: 14,
    members: fc.record({
      key,
      patch: fc.oneof(patch, sparse(patch), sparse(patch)),
      etag: fc.constantFrom('none', 'right', 'stale'),
    }),
  },
  rotate: {
    weight: 8,
    members: fc.record({ key, graceMs: fc.constantFrom(null, 0, second, 3_600 * second), expiry, request }),
  },
  revoke: { weight: 4, members: fc.record({ key }) },
  disable: { weight: 4, members: fc.record({ key }) },
  enable: { weight: 4, members: fc.record({ key }) },
  import: {
    weight: 4,
    members: fc.record({ rows: fc.array(row, { maxLength: 4 }), isDryRun: fc.boolean() }),
  },
  leak: { weight: 4, members: fc.record({ secret: presented }) },
  putOwner: {
    weight: 9,
    members: fc.record({
      id: fc.constantFrom(...owners),
      plan,
      activeForMs: maybe(fc.constantFrom(-second, ...times)),
      suspended: fc.boolean(),
    }),
  },
  updateOwner: {
    weight: 6,
    members: fc.record({
      id: fc.constantFrom(...owners),
      patch: sparse(
        fc.record({
          ...{ plan, activeForMs: maybe(fc.constantFrom(-second, ...times)) },
          suspended: fc.boolean(),
        }),
      ),
      etag: fc.constantFrom('none', 'right', 'stale'),
    }),
  },
  getOwner: { weight: 3, members: fc.record({ id: fc.constantFrom(...owners) }) },
  listOwners: { weight: 3, members: fc.record({ page }) },
  putRole: {
    weight: 9,
    members: fc.record({
      id: fc.constantFrom(...roles),
      description: fc.constantFrom(null, 'Reads'),
      permissions: fc.oneof(
        { weight: 9, arbitrary: some(['read:*', 'write:a', 'read:b']) },
        { weight: 1, arbitrary: fc.constant(['read:a', 'admin:read']) },
      ),
      etag,
    }),
  },
  deleteRole: { weight: 6, members: fc.record({ id: fc.constantFrom(...roles), etag }) },
  getRole: { weight: 2, members: fc.record({ id: fc.constantFrom(...roles) }) },
  listRoles: { weight: 3, members: fc.record({ page }) },
  audit: { weight: 6, members: fc.record({ filter: sparse(auditFilter), page }) },
  watch: {
    weight: 3,
    members: fc.record({
      after: place,
      types: some(['key.created', 'key.revoked', 'owner.put', 'role.put']),
    }),
  },
  diagnostics: { weight: 1, members: fc.record({}) },
  wait: {
    weight: 8,
    members: fc.record({ ms: fc.constantFrom(1, second, 91 * second, 3_600 * second, 'end', 'end') }),
  },
} satisfies Record<Step['kind'], { weight: number; members: fc.Arbitrary<object> }>;

const header = fc.constantFrom(null, null, 'a call');

/** Any step. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  ...Object.entries(kinds).map(([kind, { weight, members }]) => ({
    weight,
    arbitrary: fc
      .tuple(who, header, members as fc.Arbitrary<object>)
      .map(([by, requestId, rest]) => ({ who: by, requestId, kind, ...rest }) as Step),
  })),
);
