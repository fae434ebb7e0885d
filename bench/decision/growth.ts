import type { Rule } from '../../src/check/rules.ts';
import type { Limit } from '../../src/keys/limit.ts';
import type { RoleRecord } from '../../src/keys/role.ts';
import { readPresets } from '../../src/presets/read.ts';
import type { Scheme } from '../../src/schemes/scheme.ts';
import { type RequestGiven, requestsOf } from './request.ts';
import { type Bounds, measure, spread, table } from './rounds.ts';
import { createSetting, type SettingGiven } from './setting.ts';

/** What grows, and what a Check is asked where there are so many of it. */
interface Dimension {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly of: (size: number) => {
    readonly setting?: Partial<SettingGiven>;
    readonly request?: Omit<RequestGiven, 'key'>;
  };
}

const keysOtherwise = 1_000;
const noLimit = { rateLimits: [], plan: null };

const dimensions: readonly Dimension[] = [
  {
    name: 'limits of 100 000 keys',
    sizes: [0, 1, 3, 8],
    of: (size) => ({ setting: { keys: 100_000, record: () => ({ rateLimits: limitsOf(size) }) } }),
  },
  { name: 'keys', sizes: [1_000, 10_000, 100_000, 1_000_000], of: (keys) => ({ setting: { keys } }) },
  {
    name: 'permissions on the key',
    sizes: [1, 10, 100, 1_000],
    of: (size) => ({ setting: { record: () => ({ permissions: [...names(size - 1), 'write:messages'] }) } }),
  },
  {
    name: 'roles of the key, the last of which has the permission',
    sizes: [0, 1, 5, 20],
    of: (size) => ({
      setting: {
        record: () => (size === 0 ? {} : { permissions: [], roles: names(size) }),
        role: (id) => role(id, id === names(size).at(-1) ? ['write:messages'] : names(10)),
      },
    }),
  },
  {
    name: 'permissions of the route, 100 on the key',
    sizes: [1, 10, 100],
    of: (size) => ({
      setting: { record: () => ({ permissions: names(100) }) },
      request: { context: { scheme: 'postern', permissions: names(size).join(',') } },
    }),
  },
  {
    name: 'entries of the allowlist',
    sizes: [1, 10, 100, 1_000],
    of: (size) => ({ setting: { record: () => ({ ipAllowlist: [...blocks(size - 1), '203.0.113.0/24'] }) } }),
  },
  { name: 'rules', sizes: [1, 10, 100, 1_000, 10_000], of: (size) => ({ setting: { rules: rules(size) } }) },
  {
    name: 'rules of one path, by host',
    sizes: [1, 10, 100, 1_000, 10_000],
    of: (size) => ({ setting: { rules: rulesByHost(size) }, request: { host: `h${size - 1}.example.com` } }),
  },
  {
    name: 'schemes that look in one place',
    sizes: [6, 20, 100],
    of: (size) => ({
      setting: { schemes: schemes(size - 6, () => 'authorization') },
      request: { context: { permissions: 'write:messages' } },
    }),
  },
  {
    name: 'schemes with a header each',
    sizes: [6, 20, 100],
    of: (size) => ({
      setting: { schemes: schemes(size - 6, (at) => `x-key-of-${at}`) },
      request: { context: { permissions: 'write:messages' } },
    }),
  },
  {
    name: 'headers of the request',
    sizes: [13, 25, 50, 100],
    of: (size) => ({
      request: { headers: Object.fromEntries(names(size - 13).map((name) => [`x-${name}`, 'v'])) },
    }),
  },
];

/** Each is to be flat or nearly so, but for what the request itself brings. */
export async function measureGrowth(bounds: Bounds, filter: string): Promise<void> {
  const rows = [['', 'of them', 'µs CPU', 'bytes', 'µs SHA-256']];
  for (const { name, sizes, of } of dimensions) {
    if (!name.includes(filter)) continue;
    for (const size of sizes) {
      const { setting: given, request } = of(size);
      const record = given?.record ?? (() => ({}));
      const setting = await createSetting({
        keys: keysOtherwise,
        ...given,
        record: (index) => ({ ...noLimit, ...record(index) }),
      });
      const requests = requestsOf(setting.secrets, request ?? {});
      const { micros, bytes, digestMicros } = await measure(setting, requests, bounds);
      rows.push([name, String(size), spread(micros, 2), spread(bytes, 0), spread(digestMicros, 2)]);
    }
  }
  console.log(`Growth, keys without a limit\n${table(rows)}\n`);
}

/** Windows, periods and a budget, for each key and for all of its owner. */
function limitsOf(count: number): Limit[] {
  const pers: readonly Limit['per'][] = [60_000, 'month', 'day', 3_600_000, 'week', 1_000, 'total', 600_000];
  return pers
    .slice(0, count)
    .map((per, at) => ({ name: `l${at}`, limit: 1e12, per, sharedBy: at % 2 === 0 ? 'key' : 'owner' }));
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `read:things-${at}`);
}

function role(id: string, permissions: readonly string[]): RoleRecord {
  return { id, description: null, permissions, createdAt: 0, updatedAt: 0, version: 1 };
}

function blocks(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `10.${at >> 8}.${at & 255}.0/25`);
}

function rules(count: number): Rule[] {
  const decoys = Array.from({ length: count - 1 }, (_, at) => ruleOf({ path: `/v1/others/${at}/*` }));
  return [...decoys, ruleOf({ path: '/v1/accounts/*' })];
}

function rulesByHost(count: number): Rule[] {
  return Array.from({ length: count }, (_, at) => ruleOf({ host: `h${at}.example.com`, path: '/v1/*' }));
}

function ruleOf(match: Rule['match']): Rule {
  return { match, permissions: ['write:messages'], isPublic: false };
}

function schemes(count: number, header: (at: number) => string): Scheme[] {
  const base = readPresets().get('powerverse') as Scheme;
  return Array.from({ length: count }, (_, at) => ({
    ...base,
    name: `scheme-${at}`,
    places: [{ kind: 'header', name: header(at), word: null }],
    prefixes: [{ text: `s${at}_`, environment: 'live' }],
  }));
}
