/** Stands in every value that has room for it: it may be in no answer, no log line and no event. */
export const tracer = 'hunter2';

type Bad = readonly [title: string, value: unknown];

const texts: readonly Bad[] = [
  ['a NUL', `${tracer}\0`],
  ['a second line', `${tracer}\n{"level":60,"msg":"forged"}`],
  ['a carriage return', `${tracer}\r`],
  ['a tab', `\t${tracer}`],
  ['an escape', `${tracer}\u001b[2J`],
  ['a DEL', `${tracer}\u007f`],
  ['a C1 control', `${tracer}\u0085`],
  ['a right-to-left override', `${tracer}\u202egnp.exe`],
  ['a right-to-left mark', `${tracer}\u200f`],
  ['an Arabic letter mark', `${tracer}\u061c`],
  ['an isolate', `\u2066${tracer}`],
  ['a line separator', `${tracer}\u2028`],
];
const surrogates: readonly Bad[] = [
  ['half a surrogate pair', `${tracer}\ud83d`],
  ['the other half', `\udc69${tracer}`],
];
const noTexts: readonly Bad[] = [
  ['a number', 7],
  ['true', true],
  ['a list', [tracer]],
  ['an operator', { $ne: tracer }],
  ['code', { $where: `${tracer}()` }],
  ['a prototype', { constructor: { prototype: tracer } }],
];
const tooLong = (max: number): Bad => ['too much', tracer.padEnd(max + 1, 'x')];
const line = (max: number): readonly Bad[] => [...texts, tooLong(max)];
const required = (max: number): readonly Bad[] => [['nothing', ''], ...line(max)];

const times: readonly Bad[] = [
  ['nothing', ''],
  ['a word', tracer],
  ['no zone', '2031-01-31T12:00:00'],
  ['a day alone', '2031-01-31'],
  ['a day that no month has', '2031-02-30T00:00:00Z'],
  ['Unix seconds', '1924948800'],
  ['an hour that no day has', '2031-01-31T24:00:00Z'],
  ['the year 0', '0000-06-01T00:00:00Z'],
  ['the year 10000 in UTC', '9999-12-31T23:59:59-05:00'],
  ['a sixth digit of the year', '+012031-01-31T12:00:00Z'],
];
const durations: readonly Bad[] = [
  ['nothing', ''],
  ['a word', tracer],
  ['a bare number', '60'],
  ['zero', '0m'],
  ['less than nothing', '-1s'],
  ['no number', 'NaNs'],
  ['an exponent', '1e3s'],
  ['a unit that there is none', '1y'],
  ['more than a lifetime', '36526d'],
  ['less than a millisecond', '0.0001s'],
];
const networks: readonly Bad[] = [
  ['nothing', ''],
  ['a word', tracer],
  ['address bits behind the prefix', '10.0.0.1/8'],
  ['a prefix that is too long', '10.0.0.0/33'],
  ['a prefix that is too long for IPv6', '2001:db8::/129'],
  ['less than no prefix', '10.0.0.0/-1'],
  ['a mask', '10.0.0.0/255.0.0.0'],
  ['a zone', 'fe80::1%eth0'],
  ['a leading zero', '010.0.0.1'],
  ['three parts', '10.0.0'],
  ['a port', '10.0.0.1:80'],
  ['a name', `${tracer}.example.com`],
  ['two', '10.0.0.1,10.0.0.2'],
];
const principals: readonly Bad[] = [
  ...required(2_048),
  ['everybody', '*'],
  ['everything below nothing', '/*'],
  ['every trust domain', 'spiffe://*'],
  ['no trust domain', 'spiffe:///ns/shop/sa/web'],
  ['a part of a segment', 'spiffe://cluster.local/ns/sh*'],
  ['a star in the middle', 'spiffe://cluster.local/ns/*/sa/web'],
  ['an empty segment', 'spiffe://cluster.local/ns//sa'],
  ['a slash at the end', 'spiffe://cluster.local/ns/'],
  ['a step up', 'spiffe://cluster.local/ns/../sa'],
  ['an escape', 'spiffe://cluster.local/ns/%73hop'],
  ['a query', `spiffe://cluster.local/ns?${tracer}`],
  ['a port', 'spiffe://cluster.local:8080/ns'],
  ['another case', 'spiffe://Cluster.Local/ns'],
  ['another scheme', 'https://cluster.local/ns/shop/sa/web'],
  ["Istio's short form", 'cluster.local/ns/shop/sa/web'],
  ['nothing below', '*.'],
  ['two stars', '*.*.example.com'],
  ['a star within', 'api.*.example.com'],
  ['an empty label', 'api..example.com'],
  ["the root's dot", 'api.example.com.'],
  ['a port of a name', 'api.example.com:443'],
  ['an address', '10.0.0.1'],
  ['an address of IPv6', '[2001:db8::1]'],
  ['a block', '10.0.0.0/8'],
  ['a subject', 'CN=web,O=Example'],
  ['two', 'a.example.com,b.example.com'],
];
const listOf = (bad: readonly Bad[], max: number, good: unknown): readonly Bad[] => [
  ...bad.map(([title, value]): Bad => [`a list with ${title}`, [good, value]]),
  ['too many', Array.from({ length: max + 1 }, () => good)],
];
const notALabel: readonly Bad[] = ['', '$ne', '__proto__', '.dot', 'a b', 'é', 'x'.repeat(64)].map(
  (name): Bad => [
    `a label called ${JSON.stringify(name.slice(0, 9))}`,
    JSON.parse(`{${JSON.stringify(name)}:"${tracer}"}`),
  ],
);
const tooManyLabels = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`l${at}`, tracer]));
const ascii: readonly Bad[] = [['a letter that is not ASCII', `${tracer}é`]];
const permissions: readonly Bad[] = [
  ...required(128),
  ['a space', `${tracer} x`],
  ['a comma', `${tracer},x`],
  ...ascii,
];
const rateLimits: readonly Bad[] = [
  ['no window', { limit: 1 }],
  ['no limit', { window: '1s' }],
  ['a limit of none', { limit: 0, window: '1s' }],
  ['less than none', { limit: -1, window: '1s' }],
  ['more than there is', { limit: 1_000_000_000_000_001, window: '1s' }],
  ['half a second', { limit: 1, window: '0.5s' }],
  ...durations.map(([title, window]): Bad => [`a window of ${title}`, { limit: 1, window }]),
];

const burst = { name: 'burst', limit: 1, window: '1s' };
const limitLists: readonly Bad[] = [
  ...rateLimits.map(([title, value]): Bad => [`a list with ${title}`, [value]]),
  ['a window and a period', [{ ...burst, period: 'day' }]],
  ['neither', [{ name: 'burst', limit: 1 }]],
  ['a period that there is none', [{ name: 'burst', limit: 1, period: 'year' }]],
  ['a name of other characters', [{ ...burst, name: `${tracer}!` }]],
  ['a name that is long', [{ ...burst, name: 'x'.repeat(33) }]],
  ['two of one name', [burst, burst]],
  ['two, one without a name', [burst, { limit: 1, window: '2s' }]],
  ['another sharing', [{ ...burst, shared_by: tracer }]],
  ['a sharing without an owner', [{ ...burst, shared_by: 'owner' }]],
  ['nine', Array.from({ length: 9 }, (_, at) => ({ ...burst, name: `n${at}` }))],
];

/** What a field of a kind may not be, as text and lists that both wires can carry. */
export const badValues = {
  name: required(200),
  text64: required(64),
  text128: required(128),
  text256: required(256),
  text256words: required(256),
  text2048: required(2_048),
  method: required(32),
  path: required(8_192),
  key: [['nothing', ''], tooLong(4_096)] as readonly Bad[],
  owner: [...required(128), ...ascii, ['a space before', ` ${tracer}`], ['a space behind', `${tracer} `]],
  permission: permissions,
  permissions: listOf([...permissions, ['alternatives', `${tracer}|a`]], 100, 'read:a'),
  asked: listOf(permissions, 100, 'read:a'),
  rolePermissions: listOf(
    [...permissions, ['alternatives', `${tracer}|a`], ['an admin permission', `admin:${tracer}`]],
    100,
    'read:a',
  ),
  roles: listOf(permissions, 20, 'reader'),
  networks: listOf(networks, 100, '10.0.0.0/8'),
  principals: listOf(principals, 100, '*.example.com'),
  caller: line(2_048),
  address: networks.filter(([title]) => title !== 'a mask'),
  time: times,
  duration: durations,
  rateLimit: rateLimits,
  limitList: limitLists,
  anchor: [...times, ['a time in 1800', '1800-01-01T00:00:00Z']] as readonly Bad[],
  count: [
    ['less than none', -1],
    ['more than there are', 1_000_000_001],
  ],
  units: [
    ['none', 0],
    ['half of one', 1.5],
    ['more than there are', 1e300],
  ],
  limitName: [
    ['nothing', ''],
    ['other characters', `${tracer}!`],
    ['too much', 'x'.repeat(33)],
  ],
  ids: [['too much', [tracer.padEnd(129, 'x')]]],
  portalPermissions: listOf(
    [
      ['nothing', ''],
      ['a word', tracer],
      ['another case', 'KEYS:READ'],
    ],
    100,
    'keys:read',
  ),
  life: [...durations, ['more than a day', '25h']] as readonly Bad[],
  webAddress: [
    ...required(2_048),
    ['a word', tracer],
    ['a script', `javascript:${tracer}`],
    ['a name and a password', `https://a:${tracer}@example.com/`],
    ['an origin that is not in the settings', `https://${tracer}.example.com/`],
  ],
  labels: [
    ...notALabel,
    ['too many', tooManyLabels],
    ...line(256).map(([title, value]): Bad => [`a label that holds ${title}`, { team: value }]),
  ],
  state: [
    ['a word', tracer],
    ['nothing', ''],
    ['another case', 'ACTIVE'],
  ],
  outcome: [
    ['a word', tracer],
    ['nothing', ''],
  ],
  order: [
    ['a word', tracer],
    ['another case', 'NEWEST'],
  ],
  keyOrder: [
    ['a word', tracer],
    ['another case', 'NAME'],
    ['the way that is the default', 'name asc'],
    ['two', 'name,created_at'],
  ],
  usageGroup: [
    ['a word', tracer],
    ['another case', 'OWNER'],
    ['two', 'owner,plan'],
  ],
  usageInterval: [
    ['a word', tracer],
    ['a week', 'week'],
  ],
  usageOrder: [
    ['a word', tracer],
    ['a direction', 'allowed desc'],
  ],
  event: [
    ['a word', tracer],
    ['too few digits', 'evt_1'],
    ['an operator', '$gt'],
  ],
  types: [
    ['a word', [tracer]],
    ['nothing', ['']],
  ],
  token: [
    ['a word', tracer],
    ['too much', tracer.repeat(100)],
  ],
  size: [['less than none', -1]],
  flag: [],
} as const satisfies Readonly<Record<string, readonly Bad[]>>;

export type Kind = keyof typeof badValues;

const isList: readonly Kind[] = [
  'permissions',
  'asked',
  'rolePermissions',
  'roles',
  'networks',
  'principals',
  'types',
  'ids',
  'portalPermissions',
];

/** What JSON can carry beside: other types, and text that is no Unicode. */
export function otherTypes(kind: Kind): readonly Bad[] {
  if (kind === 'flag')
    return [
      ['a text', 'true'],
      ['a number', 1],
      ['a list', [true]],
      ['an object', {}],
    ];
  if (kind === 'size') return [];
  if (kind === 'count' || kind === 'units') return noTexts.filter(([, value]) => typeof value !== 'number');
  if (kind === 'limitList')
    return [...noTexts.filter(([, value]) => !Array.isArray(value)), ['a text', tracer]];
  if (isList.includes(kind)) {
    return [
      ...noTexts.filter(([, value]) => !Array.isArray(value)),
      ['a text', tracer],
      ['a list in it', [[tracer]]],
    ];
  }
  if (kind === 'labels') {
    return [
      ['a number', 7],
      ['a text', tracer],
      ['a list', [tracer]],
      ['a label of no text', { team: { $ne: tracer } }],
    ];
  }
  if (kind === 'rateLimit') {
    return [
      ...noTexts,
      ['a text', tracer],
      ['a limit that is text', { limit: tracer, window: '1s' }],
      ['half a unit', { limit: 1.5, window: '1s' }],
      ['too much', { limit: 1e300, window: '1s' }],
      ['a third member', { limit: 1, window: '1s', burst: tracer }],
    ];
  }
  const halves = [
    'time',
    'anchor',
    'duration',
    'address',
    'key',
    'token',
    'event',
    'life',
    'limitName',
  ].includes(kind)
    ? []
    : surrogates;
  return [...noTexts, ...halves];
}
