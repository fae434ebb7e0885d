import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Envoy } from '../../real/envoy.ts';
import { startChangedEnvoy, startChangedStack } from '../routes.ts';
import { makeKey, type Stack, send } from '../stack.ts';

const settings = `
schemes:
  - postern
  - powerverse
  - name: gate
    places: [{ query: gate_key }, { cookie: gate }, { header: X-Gate-Key, word: Gate }]
    prefixes: { gk_: live }
    accept: { alphabet: 0-9a-z, length: 40 }
    mint: { alphabet: 0-9a-z, length: 40 }
  - name: proxied
    places: [{ header: X-Proxied-Key }]
    prefixes: { px_: live }
    accept: { alphabet: 0-9a-z, length: 40 }
    mint: { alphabet: 0-9a-z, length: 40 }
    forward_credential: true
`;
const routes = ['postern', 'powerverse', 'gate', 'proxied'].map((scheme) => ({
  prefix: `/${scheme}/`,
  context: { scheme },
}));

/** What upstreams may read as `x-postern-owner` and its like, whatever stands between the letters. */
const spoofed = [
  'x-postern-owner',
  'X-Postern-Key-Id',
  'x-postern-anything',
  'x.postern.owner',
  'X.Postern.Key.Id',
  'x-postern.owner',
  'x-postern~owner',
  'x!postern#permissions',
  'x$postern%owner',
  "x&postern'owner",
  'x*postern+owner',
  'x^postern`owner',
  'x|postern|owner',
  'x-postern-',
  'x-postern.',
];
const kept = ['x-posternowner', 'x--postern-owner', 'postern-owner', 'xx-postern-owner', 'x-posterns-owner'];
type Pair = readonly [name: string, value: string];

describe('what the upstream is not to see', () => {
  let stack: Stack;
  let joined: Envoy;
  beforeAll(async () => {
    stack = await startChangedStack(settings, {}, { routes });
    const addresses = { checkAddress: stack.postern.check, upstreamAddress: stack.echo.address };
    const http = { common_http_protocol_options: { headers_with_underscores_action: 'ALLOW' } };
    joined = await startChangedEnvoy({ ...addresses, routes, http, encodeRawHeaders: false });
  });
  afterAll(() => Promise.all([stack?.stop(), joined?.stop()]));

  const make = async (scheme: string) => (await makeKey(stack.postern, { scheme, owner: 'acme' })).key;
  const envoys = () => [stack.envoy.url, joined.url];

  it('is any name that could be read as one of ours, on allowed and on public routes', async () => {
    const key = await make('postern');
    for (const url of envoys()) {
      for (const name of [...spoofed, ...kept]) {
        const sent: Pair[] = [[name, 'victim']];
        const open = await send(url, '/public/', sent);
        const let_in = await send(url, '/', [['authorization', `Bearer ${key}`], ...sent]);
        expect([name, open.status, let_in.status]).toEqual([name, 200, 200]);
        const seen = [open, let_in].map(({ upstream }) => upstream?.headers[name.toLowerCase()]);
        const own = name.toLowerCase() === 'x-postern-owner' ? ['acme'] : undefined;
        if (kept.includes(name)) expect([name, ...seen]).toEqual([name, ['victim'], ['victim']]);
        else if (name === 'X-Postern-Key-Id')
          expect(seen).toEqual([undefined, [expect.stringMatching(/^key_/)]]);
        else expect([name, ...seen]).toEqual([name, undefined, own]);
      }
    }
  });

  it('is a name with an underscore, where Envoy allows it', async () => {
    const key = await make('postern');
    const sent: Pair[] = ['x_postern_owner', 'X_Postern-key_id', '_x-postern-owner'].map((name) => [
      name,
      'victim',
    ]);
    const open = await send(joined.url, '/public/', sent);
    const allowed = await send(joined.url, '/', [['authorization', `Bearer ${key}`], ...sent]);
    for (const { upstream } of [open, allowed]) {
      const names = Object.entries(upstream?.headers ?? {}).filter(([, values]) => values.includes('victim'));
      expect(names.map(([name]) => name)).toEqual(['_x-postern-owner']);
    }
    expect((await send(stack.envoy.url, '/public/', sent)).status).toBe(400);
  });

  it.each<
    [route: string, path: string, headers: Pair[], url: string, seen: Record<string, string[] | undefined>]
  >([
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['authorization', 'Bearer KEY'],
      ],
      '',
      { 'x-api-key': undefined, authorization: undefined },
    ],
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['authorization', 'KEY'],
      ],
      '',
      { authorization: undefined },
    ],
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['authorization', 'Basic YWI6Y2Q='],
      ],
      '',
      { authorization: ['Basic YWI6Y2Q='] },
    ],
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['authorization', 'Bearer KEYx'],
      ],
      '',
      { authorization: ['Bearer KEYx'] },
    ],
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['x-gate-key', 'Gate KEY'],
        ['x-proxied-key', 'KEY'],
      ],
      '',
      { 'x-gate-key': undefined, 'x-proxied-key': undefined },
    ],
    ['powerverse', '?b&gate_key=KEY&a=1', [['x-api-key', 'KEY']], '?b&a=1', { 'x-api-key': undefined }],
    ['powerverse', '?b&gate%5Fkey=ESCAPED', [['x-api-key', 'KEY']], '?b', {}],
    ['powerverse', '?gate_key=other&b=KEY', [['x-api-key', 'KEY']], '?gate_key=other&b=KEY', {}],
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['cookie', 'a=b; gate=KEY; c=d'],
      ],
      '',
      { cookie: ['a=b; c=d'] },
    ],
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['cookie', 'gate="KEY"'],
      ],
      '',
      { cookie: undefined },
    ],
    [
      'powerverse',
      '',
      [
        ['x-api-key', 'KEY'],
        ['cookie', 'a=b;gate=other;c="KEY"'],
      ],
      '',
      { cookie: ['a=b;gate=other;c="KEY"'] },
    ],
    [
      'gate',
      '?gate_key=KEY&b=2&a',
      [
        ['authorization', 'Bearer KEY'],
        ['x-api-key', 'pv'],
      ],
      '?b=2&a',
      { authorization: undefined, 'x-api-key': ['pv'] },
    ],
    [
      'gate',
      '',
      [
        ['cookie', 'gate=KEY; x=Ã©'],
        ['x-api-key', 'KEY'],
      ],
      '',
      { cookie: ['x=Ã©'], 'x-api-key': undefined },
    ],
    [
      'postern',
      '',
      [
        ['authorization', 'bearer  KEY '],
        ['x-api-key', 'KEY'],
        ['x-other', 'KEY'],
      ],
      '',
      { authorization: undefined, 'x-api-key': undefined, 'x-other': ['KEY'] },
    ],
    [
      'proxied',
      '?gate_key=KEY',
      [
        ['x-proxied-key', 'KEY'],
        ['authorization', 'Bearer KEY'],
      ],
      '?gate_key=KEY',
      { 'x-proxied-key': ['KEY'], authorization: ['Bearer KEY'] },
    ],
  ])('is a copy of the key that was used: %s%s %j', async (scheme, query, headers, rest, seen) => {
    const key = await make(scheme);
    const escaped = key.replace('_', '%5f');
    const filled = (text: string) => text.replace('KEY', key).replace('ESCAPED', escaped);
    const sent = headers.map(([name, value]): Pair => [name, filled(value)]);
    for (const url of envoys()) {
      const { status, upstream } = await send(url, `/${scheme}/x${filled(query)}`, sent);
      expect([status, upstream?.url]).toEqual([200, `/${scheme}/x${filled(rest)}`]);
      for (const [name, values] of Object.entries(seen)) {
        expect([name, upstream?.headers[name]]).toEqual([name, values?.map(filled)]);
      }
    }
  });

  it('is a copy among several values of a header, of which the others stay', async () => {
    const key = await make('powerverse');
    const sent: Pair[] = [
      ['x-api-key', key],
      ['authorization', 'Basic YWI6Y2Q='],
      ['authorization', `Bearer ${key}`],
      ['authorization', 'Digest abc'],
    ];
    const [apart, together] = await Promise.all(envoys().map((url) => send(url, '/powerverse/', sent)));
    expect(apart?.upstream?.headers.authorization).toEqual(['Basic YWI6Y2Q=,Digest abc']);
    expect(together?.upstream?.headers.authorization).toEqual(['Basic YWI6Y2Q=,Digest abc']);
  });
});
