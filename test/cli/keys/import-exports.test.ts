import { describe, expect, it } from 'vitest';
import { exportBytesMax } from '../../../src/cli/import/export-tree.ts';
import { createDigester } from '../../../src/keys/secret.ts';
import { mintSecret, type Scheme } from '../../../src/schemes/scheme.ts';
import { startListener } from '../../http/listener.ts';
import { postern } from '../console.ts';

/** A running service with keys of Converra's scheme, and the command line set up for it. */
async function start() {
  const listener = await startListener();
  const POSTERN_ADMIN_KEY = listener.service.adminAuthorization.replace('Bearer ', '');
  const environment = { POSTERN_ADDRESS: listener.base, POSTERN_ADMIN_KEY };
  const scheme = listener.service.schemes.find(({ name }) => name === 'converra') as Scheme;
  return {
    secret: () => mintSecret(scheme, 'live')?.secret.reveal() ?? '',
    /** Imports a file of this text and answers what was printed, and the keys, the oldest first. */
    async imported(name: string, text: string, flags: readonly string[] = []) {
      const argv = ['import', name, '--scheme', 'converra', ...flags];
      const done = await postern(argv, { environment, files: { [name]: text } });
      const { data } = (await listener.call('GET', '/admin/api-keys')).json;
      return { ...done, keys: data.reverse() as Record<string, unknown>[] };
    },
  };
}

const sha256 = (text: string) => Buffer.from(createDigester([]).sign(text), 'base64url').toString('base64');

describe('an export of Kong', () => {
  it('as decK writes it: consumers with their credentials, in YAML and JSON', async () => {
    const { imported, secret } = await start();
    const yaml = `_format_version: "3.0"
services:
- name: shop
consumers:
- username: acme
  custom_id: customer-1
  tags: [gold]
  keyauth_credentials:
  - key: ${secret()}
    tags:
    - team:grid
    - "my tag"
  - key: ${secret()}
    created_at: 4000000000
    ttl: 4000086400
- custom_id: customer-2
  keyauth_credentials:
  - key: ${secret()}
- username: nobody
`;
    const { exitCode, stdout, stderr, keys } = await imported('kong.yaml', yaml);
    expect([exitCode, stdout, stderr]).toEqual([
      0,
      'imported 3, duplicates 0, failed 0 of 3 rows in 0 s\n',
      '',
    ]);
    expect(keys).toMatchObject([
      { name: 'acme', owner: 'acme', labels: { gold: '', team: 'grid', 'my-tag': '' }, expires_at: null },
      { name: 'acme', owner: 'acme', labels: { gold: '' }, expires_at: '2096-10-03T07:06:40Z' },
      { name: 'customer-2', owner: 'customer-2', labels: {} },
    ]);
    const tree = { consumers: [{ username: 'json', keyauth_credentials: [{ key: secret() }] }] };
    expect((await imported('kong.json', JSON.stringify(tree))).keys.at(-1)).toMatchObject({ owner: 'json' });
  });

  it('as Kong writes it: credentials of their own, which name their consumers by id', async () => {
    const { imported, secret } = await start();
    const yaml = `_format_version: '3.0'
_transform: false
consumers:
- id: 59d1ef15-24a5-4373-b957-e8192c15ff6e
  username: acme
  custom_id: ~
  tags: ~
keyauth_credentials:
- key: ${secret()}
  created_at: 1734329245
  consumer: 59d1ef15-24a5-4373-b957-e8192c15ff6e
  tags: ~
  ttl: ~
- key: ${secret()}
  consumer: 00000000-24a5-4373-b957-e8192c15ff6e
- key: ${secret()}
  consumer: acme
`;
    const { stderr, keys } = await imported('kong.yml', yaml);
    expect(stderr).toBe('line 14: owner: belongs to a consumer that is not in this file\n');
    expect(keys).toMatchObject([{ owner: 'acme', expires_at: null }, { owner: 'acme' }]);
  });

  it('as the lists of its Admin API in one file, and not a list of credentials alone', async () => {
    const { imported, secret } = await start();
    const credentials = [{ id: 'k1', key: secret(), consumer: { id: 'c1' }, tags: null, ttl: null }];
    const alone = await imported('key-auths.json', JSON.stringify({ data: credentials, next: null }));
    const lists = {
      consumers: [{ id: 'c1', username: 'acme', custom_id: null, tags: null }],
      keyauth_credentials: credentials,
      acls: [{ group: 'admins', consumer: { id: 'c1' } }],
      plugins: [{ name: 'rate-limiting', enabled: false, consumer: { id: 'c1' } }],
    };
    const whole = await imported('kong.json', JSON.stringify(lists));

    expect([alone.exitCode, alone.keys]).toEqual([1, []]);
    expect(alone.stderr).toContain('owner: belongs to a consumer that is not in this file');
    expect(whole.keys).toMatchObject([{ owner: 'acme', permissions: ['group:admins'] }]);
  });

  it('tells by its line what is no key, without a word of it', async () => {
    const { imported, secret } = await start();
    const yaml = `consumers:
- username: acme
  keyauth_credentials:
  - key: 0123456789012345678901234567890
  - key: \${{ env "DECK_KEY" }}
  - key: "{vault://env/key}"
  - tags: [a]
  - key: ${secret()}
    ttl: 60
  - key: ${secret()}
`;
    const { exitCode, stderr, keys } = await imported('kong.yaml', yaml);
    expect(exitCode).toBe(1);
    expect(stderr.split('\n')).toEqual([
      'line 4: secret: has not the form of the scheme converra: no Check would ever accept it',
      'line 5: secret: is a reference to where the key is kept, not the key',
      'line 6: secret: is a reference to where the key is kept, not the key',
      'line 7: secret: is missing',
      'line 8: expires_at: has a ttl, the seconds that were left when the file was written; say when that was by --exported-at',
      '',
    ]);
    expect(keys).toHaveLength(1);
  });
});

describe('a key that was held elsewhere', () => {
  it('by a ttl of Kong ends when it would have ended there, whichever way its export says so', async () => {
    const { imported, secret } = await start();
    const yaml = `_format_version: '3.0'
consumers:
- id: one
  username: acme
keyauth_credentials:
- { key: ${secret()}, consumer: one, created_at: 1767225600, ttl: 1830297600 }
- { key: ${secret()}, consumer: one, created_at: 1767225600, ttl: 3600 }
- { key: ${secret()}, consumer: one, created_at: 1767225600, ttl: 0 }
`;
    const { keys } = await imported('kong.yaml', yaml, ['--exported-at', '2031-01-31T12:00:00Z']);

    expect(keys.map(({ expires_at }) => expires_at)).toEqual([
      '2028-01-01T00:00:00Z',
      '2031-01-31T13:00:00Z',
      '2031-01-31T12:00:00Z',
    ]);
  });

  it("by plugins and groups fails unless these are left behind knowingly; Kong's ACL groups are permissions", async () => {
    const { imported, secret } = await start();
    const yaml = `_format_version: '3.0'
plugins:
- { name: ip-restriction, consumer: acme }
- { name: rate-limiting, consumer: acme, enabled: false }
consumers:
- username: acme
  acls: [{ group: gold }]
  groups: [{ name: tier-1 }]
  keyauth_credentials: [{ key: ${secret()} }]
- username: free
  acls: [{ group: basic }]
  keyauth_credentials: [{ key: ${secret()} }]
`;
    const held = await imported('kong.yaml', yaml);
    expect(held.exitCode).toBe(1);
    expect(held.stderr).toMatch(
      /^line 9: is held by ip-restriction, consumer-group, which is not taken over; /,
    );
    expect(held.keys).toMatchObject([{ owner: 'free', permissions: ['group:basic'] }]);

    const { keys } = await imported('kong.yaml', yaml, ['--without', 'ip-restriction,consumer-group']);
    expect(keys).toMatchObject([{ owner: 'free' }, { owner: 'acme', permissions: ['group:gold'] }]);
  });

  it('by plugins of APISIX fails unless these are left behind knowingly', async () => {
    const { imported, secret } = await start();
    const yaml = `consumers:
  - username: acme
    group_id: tier-1
    plugins:
      key-auth: { key: ${secret()} }
      basic-auth: { username: a, password: b }
      limit-count: { count: 2, time_window: 60 }
`;
    const held = await imported('apisix.yaml', yaml);
    expect(held.keys).toEqual([]);
    expect(held.stderr).toContain('is held by limit-count, consumer-group, which is not taken over');

    const { keys } = await imported('apisix.yaml', yaml, ['--without', 'limit-count,consumer-group']);
    expect(keys).toMatchObject([{ owner: 'acme' }]);
  });
});

describe('an export of APISIX', () => {
  it('as its standalone file: consumers with the plugin', async () => {
    const { imported, secret } = await start();
    const yaml = `routes:
  - uri: /a
consumers:
  - username: acme
    desc: Their backend
    labels:
      team: grid
    plugins:
      key-auth:
        key: ${secret()}
  - username: other
    plugins:
      key-auth:
        key: ${secret()}
        _meta:
          disable: true
      limit-count:
        count: 1
  - username: none
    plugins:
      basic-auth: {}
  - username: secret
    plugins:
      key-auth:
        key: $env://KEY
#END
`;
    const { stderr, keys } = await imported('apisix.yaml', yaml, ['--without', 'limit-count']);
    expect(stderr).toBe('line 22: secret: is a reference to where the key is kept, not the key\n');
    expect(keys).toMatchObject([
      { name: 'Their backend', owner: 'acme', labels: { team: 'grid' }, state: 'active' },
      { name: 'other', owner: 'other', state: 'disabled' },
    ]);
  });

  it('as its Admin API answers, of versions 3 and 2, consumers and credentials', async () => {
    const { imported, secret } = await start();
    const consumer = (username: string) => ({
      key: `/apisix/consumers/${username}`,
      value: { username, plugins: { 'key-auth': { key: secret() } }, create_time: 1 },
    });
    const credential = {
      key: '/apisix/consumers/jack/credentials/one',
      value: { id: 'one', plugins: { 'key-auth': { key: secret() } }, labels: { a: 'b' } },
    };
    await imported('a.json', JSON.stringify({ total: 1, list: [consumer('three')] }));
    await imported('b.json', JSON.stringify({ node: { nodes: [consumer('two')] }, count: 1 }));
    const { keys } = await imported('c.json', JSON.stringify({ total: 1, list: [credential] }));
    expect(keys).toMatchObject([{ owner: 'three' }, { owner: 'two' }, { owner: 'jack', labels: { a: 'b' } }]);
  });

  it('as ADC writes it: consumers with credentials', async () => {
    const { imported, secret } = await start();
    const yaml = `consumers:
- username: jack
  credentials:
  - name: one
    type: key-auth
    config: { key: ${secret()} }
  - name: two
    type: basic-auth
    config: { password: x }
`;
    expect((await imported('adc.yaml', yaml)).keys).toMatchObject([{ owner: 'jack', name: 'jack' }]);
  });
});

describe('an export of Unkey', () => {
  it('as the body of a migration: hashes with all that Postern has too', async () => {
    const { imported, secret } = await start();
    const one = secret();
    const body = {
      migrationId: 'x',
      apiId: 'api_1',
      keys: [
        {
          ...{ hash: sha256(one), name: 'One', externalId: 'acme', meta: { 'a b': 'c', n: 1, no: null } },
          ...{
            permissions: ['documents.read'],
            roles: ['editor'],
            expires: 4_000_000_000_000,
            enabled: false,
          },
          ratelimits: [
            { name: 'asked', limit: 1, duration: 1_000, autoApply: false },
            { name: 'always', limit: 100, duration: 60_000, autoApply: true },
          ],
        },
        { hash: sha256('two') },
      ],
    };
    const { stderr, keys } = await imported('unkey.json', JSON.stringify(body));
    expect(stderr).toBe('');
    expect(keys).toMatchObject([
      {
        ...{ name: 'One', owner: 'acme', labels: { 'a-b': 'c', n: '1' }, state: 'disabled' },
        ...{ permissions: ['documents.read', 'role:editor'], expires_at: '2096-10-02T07:06:40Z' },
        rate_limit: { limit: 100, window: '60s' },
      },
      { name: 'Imported from Unkey', owner: null, state: 'active', rate_limit: null },
    ]);
    const again = await imported('keys.csv', `secret,name\n${one},again\n`);
    expect(again.stdout).toMatch(/^imported 0, duplicates 1,/);
  });

  it('as rows of its table, and as the API lists keys', async () => {
    const { imported, secret } = await start();
    const rows = [
      {
        ...{ id: 'key_1', key_auth_id: 'ks_1', hash: sha256('a'), start: 'sk_live_ab', owner_id: 'acme' },
        ...{ meta: '{"plan":"x"}', expires: '2096-10-02 07:06:40.000', enabled: 1, remaining_requests: null },
        ...{ ratelimit_limit: 5, ratelimit_duration: 1_500, deleted_at: null, name: null },
      },
      { id: 'key_2', key_auth_id: 'ks_1', hash: sha256('b'), deleted_at: '2024-01-01 00:00:00' },
    ];
    const table = await imported('rows.json', JSON.stringify(rows));
    expect(table.stderr).toBe('1: was deleted in Unkey\n');
    expect(table.keys).toMatchObject([
      {
        ...{ name: 'key_1', owner: 'acme', prefix: 'sk_live_ab', labels: { plan: 'x' } },
        ...{ expires_at: '2096-10-02T07:06:40Z', rate_limit: { limit: 5, window: '1.5s' } },
      },
    ]);
    const item = { keyId: 'key_3', start: 'sk_live_cd', enabled: true, createdAt: 1 };
    const data = [
      { ...item, plaintext: secret(), identity: { id: 'i', externalId: 'other' } },
      item,
      { ...item, hash: { value: sha256('c'), variant: 'md5' } },
      { ...item, hash: sha256('d'), credits: { remaining: 5 } },
      { ...item, hash: sha256('e'), meta: '{' },
      { ...item, hash: sha256('f'), expires: 'soon' },
      {
        ...item,
        hash: sha256('g'),
        ratelimits: [1, 2].map((limit) => ({ limit, duration: 1_000, autoApply: true })),
      },
      { ...item, hash: sha256('h'), ratelimit: { limit: 1 } },
    ];
    const listed = await imported('list.json', JSON.stringify({ meta: {}, data, pagination: {} }));
    expect(listed.keys.find(({ owner }) => owner === 'other')).toMatchObject({ name: 'key_3' });
    // Two limits that hold at once, without names.
    expect(listed.keys.map(({ rate_limits }) => rate_limits)).toContainEqual([
      { name: 'limit-1', limit: 1, window: '1s', shared_by: 'key' },
      { name: 'limit-2', limit: 2, window: '1s', shared_by: 'key' },
    ]);
    expect(listed.stderr.split('\n').map((line) => line.split(': ').slice(0, 2))).toEqual([
      ['data.1', 'sha256'],
      ['data.2', 'sha256'],
      ['data.3', 'has a number of uses left, which Postern does not count down'],
      ['data.4', 'labels'],
      ['data.5', 'expires_at'],
      ['data.7', 'rate_limit'],
      [''],
    ]);
  });
});

it.each(['kong', 'apisix', 'unkey'])(
  'says that there is no key in a file that it reads as one of %s',
  async (format) => {
    const { imported } = await start();
    for (const text of ['{}', '[]', '{"data":[],"next":null}', 'consumers: []', 'services: [{name: shop}]']) {
      const done = await imported('export.yaml', text, ['--format', format]);
      expect([text, done.exitCode, done.keys]).toEqual([text, 2, []]);
      expect(done.stderr).toContain(`there is no key in this file, read as an export of ${format}`);
    }
  },
);

it('reads an export as what --format says, and refuses one that it cannot tell', async () => {
  const { imported, secret } = await start();
  const both = `consumers:
- username: acme
  plugins: { key-auth: { key: ${secret()} } }
  keyauth_credentials: [{ key: ${secret()} }]
`;
  expect((await imported('a.yaml', both, ['--format', 'apisix'])).keys).toHaveLength(1);
  expect((await imported('a.yaml', both)).keys).toHaveLength(2);
  const { exitCode, stderr } = await imported('a.yaml', 'consumers:\n- username: acme\n');
  expect([exitCode, stderr]).toEqual([
    2,
    'postern: it is not clear what kind of file this is\nSay it by --format: csv, jsonl, kong, apisix, unkey\n',
  ]);
});

it('refuses an export that is larger than what it reads at once, and aliases that make a small one large', async () => {
  const { imported } = await start();
  const large = await imported('kong.yaml', `# ${'x'.repeat(exportBytesMax.yaml)}\n`);
  expect([large.exitCode, large.stderr]).toEqual([
    2,
    'postern: the file has more than 16 MiB, which is the most of an export that is read at once\n' +
      'Split it, or turn it into CSV or JSON lines, which may have any length.\n',
  ]);
  const levels = Array.from({ length: 9 }, (_, at) =>
    at === 0
      ? 'a0: &a0 [x]'
      : `a${at}: &a${at} [${Array(9)
          .fill(`*a${at - 1}`)
          .join(', ')}]`,
  );
  const bomb = await imported('kong.yaml', levels.join('\n'));
  expect([bomb.exitCode, bomb.stderr]).toEqual([2, 'postern: the file has too many YAML aliases\n']);
});
