import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import * as messages from '../../src/grpc/gen/postern/admin/v1/key_admin.ts';
import { callerWith, root } from '../admin-calls.ts';
import { fieldsOf } from '../admin-model/wires/grpc-requests.ts';
import { type AdminClient, startAdmin } from '../grpc/admin-client.ts';
import { bodies, importedFields, leakFields, queries, type Request } from './requests.ts';
import { badValues, type Kind, tracer } from './values.ts';
import { actionOf, contentsOf, expectRefusal, isAbout } from './watched.ts';

type Fields = Readonly<Record<string, unknown>>;
type Values = readonly (readonly [title: string, value: unknown])[];

const badTimes: Values = [
  ['no nanoseconds that there are', { seconds: 2_000_000_000, nanos: 1_500_000_000 }],
  ['less than no nanoseconds', { seconds: 2_000_000_000, nanos: -1 }],
  ['a year that no calendar has', { seconds: 9e12, nanos: 0 }],
  ['a year before the first', { seconds: -62_135_596_801, nanos: 0 }],
  ['the year 10000', { seconds: 253_402_300_800, nanos: 0 }],
];
const badDurations: Values = [
  ['less than nothing', { seconds: -1, nanos: 0 }],
  ['a little less than nothing', { seconds: 0, nanos: -1_000_000 }],
  ['signs that differ', { seconds: 1, nanos: -1 }],
  ['a second in nanoseconds', { seconds: 1, nanos: 1_000_000_000 }],
  ['more than a lifetime', { seconds: 36_526 * 86_400, nanos: 0 }],
];
const badLimits: Values = [
  ['no window', { limit: 1, window: undefined }],
  ['a limit of none', { limit: 0, window: { seconds: 1, nanos: 0 } }],
  ['less than none', { limit: -1, window: { seconds: 1, nanos: 0 } }],
  ['more than there is', { limit: 1_000_000_000_000_001, window: { seconds: 1, nanos: 0 } }],
  ...badDurations.map(([title, window]) => [`a window of ${title}`, { limit: 1, window }] as const),
];

const burst = limitOf({ window: { seconds: 1, nanos: 0 } });
const badLimitLists: Values = [
  ...badDurations.map(
    ([title, window]) => [`a window of ${title}`, [limitOf({ window: { ...(window as object) } })]] as const,
  ),
  ['half a second', [limitOf({ window: { seconds: 0, nanos: 500_000_000 } })]],
  ['neither a window nor a period', [{ ...burst, length: undefined }]],
  ['a period that there is none', [limitOf({ period: tracer })]],
  ['a limit of none', [{ ...burst, limit: 0 }]],
  ['more than there is', [{ ...burst, limit: 1_000_000_000_000_001 }]],
  ['two of one name', [burst, burst]],
  ['a name of other characters', [{ ...burst, name: tracer.toUpperCase() }]],
  ['another sharing', [{ ...burst, shared_by: tracer }]],
  ['nine', Array.from({ length: 9 }, (_, at) => ({ ...burst, name: `n${at}` }))],
];

function limitOf(length: { readonly window: object } | { readonly period: string }) {
  const [[kind, value] = []] = Object.entries(length);
  return { name: 'burst', limit: 1, length: { $case: kind, value }, shared_by: '' };
}

/** As protobuf carries it. A text field that is empty is one that is not set, unless it can be absent. */
function valuesOf(field: string, kind: Kind): Values {
  if (kind === 'time') return badTimes;
  if (kind === 'rateLimit') return badLimits;
  if (kind === 'anchor') return [...badTimes, ['a time in 1800', { seconds: -5_364_662_400, nanos: 0 }]];
  if (kind === 'limitList') return badLimitLists;
  if (field === 'grace_period') return badDurations;
  if (kind === 'state')
    return [
      ['a number of no state', 99],
      ['less than no state', -1],
    ];
  const isUnset = ['page_token', 'resume_token', 'order', 'order_by', 'after', 'etag'].includes(field);
  return badValues[kind].filter(([, value]) => value !== '' || !isUnset);
}

const defaults: Fields = {
  ...{
    permissions: [],
    roles: [],
    principals: [],
    ip_allowlist: [],
    labels: {},
    rate_limits: [],
    page_size: 0,
    page_token: '',
    state: 0,
    notices: false,
    include_total: false,
  },
  ...{ order: '', order_by: '', etag: '', after: '', suspended: false, types: [], resume_token: '' },
};

async function start() {
  const client = await startAdmin();
  const { key } = await callerWith(client.service, [], 'acme');
  await client.service.admin.putOwner(root(client.service), 'acme', {});
  return { ...client, id: key.id };
}

function messageOf({ rpc, good }: Request, id: string, [field, value]: readonly [string, unknown]): object {
  if (rpc === 'updateKey') {
    const key = { ...messages.Key.decode(new Uint8Array()), id, name: 'Renamed', [field]: value };
    return { key, update_mask: field === 'etag' ? ['name'] : [field] };
  }
  if (rpc === 'updateOwner') {
    const owner = { ...messages.Owner.decode(new Uint8Array()), id: 'acme', [field]: value };
    return { owner, update_mask: field === 'etag' ? ['suspended'] : [field] };
  }
  return {
    ...defaults,
    ...fieldsOf(good),
    id: rpc === 'putOwner' || rpc === 'putRole' ? 'acme' : id,
    [field]: value,
  };
}

const places: Readonly<Record<string, string>> = { updateKey: 'key', updateOwner: 'owner' };

async function expectNamed(
  { service, refusal, broken }: AdminClient,
  rpc: string,
  message: object,
  sent: { readonly title: string; readonly field: string },
): Promise<void> {
  const { title, field } = sent;
  const refused = await expectRefusal(service, actionOf(rpc), () => refusal(rpc, message));
  expect([title, status[refused.code], refused.reason]).toEqual([title, 'INVALID_ARGUMENT', 'INVALID_FIELD']);
  expect([title, refused.fields.length > 0]).toEqual([title, true]);
  for (const named of refused.fields)
    expect([title, named.field, isAbout(named.field, field)]).toEqual([title, named.field, true]);
  expect(JSON.stringify(refused)).not.toContain(tracer);
  expect(broken).toEqual([]);
}

describe.each([...bodies, ...queries])('the message of $rpc', (request) => {
  const fields = Object.entries(request.fields).filter(([, kind]) => kind !== 'flag');

  it.each(fields)('names %s where it is bad, and changes nothing', async (field, kind) => {
    const client = await start();
    for (const [title, value] of valuesOf(field, kind)) {
      const place = places[request.rpc] ? `${places[request.rpc]}.${field}` : field;
      const message = messageOf(request, client.id, [field, value]);
      await expectNamed(client, request.rpc, message, { title, field: place });
    }
  });
});

describe('the message of reportLeakedKeys', () => {
  it.each(Object.entries(leakFields))('names %s where it is bad, with its place', async (field, kind) => {
    const client = await start();
    const isOptional = field !== 'key';
    for (const [title, value] of badValues[kind].filter(([, bad]) => bad !== '' || !isOptional)) {
      const keys = [{ key: 'x' }, { key: 'x', [field]: value }];
      await expectNamed(client, 'reportLeakedKeys', { keys }, { title, field: `keys.1.${field}` });
    }
  });
});

describe('a key of the stream of importKeys', () => {
  it.each(Object.entries(importedFields))(
    'is named with %s where that is bad, and spoils no other',
    async (field, kind) => {
      const { service, call } = await start();
      const before = await contentsOf(service);
      for (const [title, value] of valuesOf(field, kind)) {
        const row = {
          ...defaults,
          name: 'Imported',
          credential: { $case: 'sha256', value: 'ab'.repeat(32) },
          disabled: false,
        };
        const keys = [row, { ...row, [field]: value }];
        const answer = await call<messages.ImportKeysResponse>('importKeys', { keys, dry_run: true });
        const [failure, ...others] = answer.failures;
        expect([title, answer.imported, others]).toEqual([title, 1, []]);
        expect([title, failure?.index, isAbout(failure?.field ?? '', field)]).toEqual([title, 1, true]);
        expect(JSON.stringify(answer)).not.toContain(tracer);
      }
      expect(await contentsOf(service)).toBe(before);
    },
  );
});

it('a mask that names what is no field, or none that can be changed, is named itself', async () => {
  const client = await start();
  const key = { ...messages.Key.decode(new Uint8Array()), id: client.id };
  for (const path of [
    'nome',
    '$set',
    '__proto__',
    'constructor',
    'labels.team',
    'owner',
    `${tracer.repeat(20)}\n`,
  ]) {
    const { code, fields } = await client.refusal('updateKey', { key, update_mask: ['name', path] });
    expect([path, code]).toEqual([path, status.INVALID_ARGUMENT]);
    expect([path, fields.map(({ field }) => field)]).toEqual([path, expect.arrayContaining(['update_mask'])]);
    for (const { description } of fields) expect(description).toMatch(/^[^\p{C}]{1,200}$/u);
  }
});

it('an error fits into what a client takes for one, however much is wrong', async () => {
  const { refusal } = await start();
  const keys = Array.from({ length: 1_000 }, () => ({ key: '' }));
  const refused = await refusal('reportLeakedKeys', { keys });
  expect(refused.code).toBe(status.INVALID_ARGUMENT);
  expect(refused.fields).toHaveLength(20);
  expect(refused.message).toMatch(/^keys\.0\.key: .*; and 980 more$/);
});
