import { describe, expect, it } from 'vitest';
import { startListener, type TestListener } from '../http/listener.ts';
import { bodies, importedFields, leakFields, leaks, queries, type Request, restBodies } from './requests.ts';
import { badValues, type Kind, otherTypes, tracer } from './values.ts';
import { actionOf, contentsOf, expectOwnWords, expectRefusal, isAbout, libraryWords } from './watched.ts';

const everyValue = (kind: Kind) => [...badValues[kind], ...otherTypes(kind)];

async function start() {
  const listener = await startListener();
  const { id } = await listener.create({ name: 'There' });
  await listener.call('PUT', '/admin/owners/acme', {});
  return { ...listener, at: (path: string) => path.replace('{id}', id) };
}

/** Sends what is bad in one field; expects a refusal that names it, and nothing more of it anywhere. */
async function expectNamed(
  { service, call, logged, at }: TestListener & { at(path: string): string },
  { rpc, method, path }: Pick<Request, 'rpc' | 'method' | 'path'>,
  sent: { readonly body?: unknown; readonly query?: string; readonly field: string; readonly title: string },
): Promise<void> {
  const { title, field } = sent;
  const refused = await expectRefusal(service, actionOf(rpc), () =>
    call(method, at(path) + (sent.query ?? ''), sent.body),
  );
  expect([title, refused.status]).toEqual([title, 400]);
  const { error } = refused.json;
  expect([title, error.code, error.details.reason]).toEqual([title, 'INVALID_ARGUMENT', 'INVALID_FIELD']);
  const fields = error.details.fields.map((violation: { field: string }) => violation.field);
  expect([title, fields]).toEqual([title, expect.arrayContaining([expect.any(String)])]);
  for (const named of fields) expect([title, named, isAbout(named, field)]).toEqual([title, named, true]);
  expectOwnWords(error.details.fields);
  expect(refused.text).not.toContain(tracer);
  expect(JSON.stringify(logged)).not.toContain(tracer);
  expect(logged.filter(({ level }) => level !== 'debug')).toEqual([]);
}

describe.each([...bodies, ...restBodies])('the body of $method $path', (request) => {
  it.each(Object.entries(request.fields))(
    'names %s where it is bad, and changes nothing',
    async (field, kind) => {
      const listener = await start();
      for (const [title, value] of everyValue(kind)) {
        await expectNamed(listener, request, { title, field, body: { ...request.good, [field]: value } });
      }
    },
  );

  it('names a field that there is none, and every one of them', async () => {
    const listener = await start();
    for (const field of ['nome', '$set', 'constructor', 'prototype', '__proto__', 'a.b', 'toString']) {
      const body = JSON.stringify({ ...request.good, x: 1 }).replace('"x":1', `"${field}":"${tracer}"`);
      await expectNamed(listener, request, { title: field, field, body });
    }
  });
});

describe('the body of POST /admin/leaked-keys', () => {
  it.each(Object.entries(leakFields))('names %s where it is bad, with its place', async (field, kind) => {
    const listener = await start();
    for (const [title, value] of everyValue(kind)) {
      const body = { keys: [leaks.good, { ...leaks.good, [field]: value }] };
      await expectNamed(listener, leaks, { title, field: `keys.1.${field}`, body });
    }
  });
});

describe('a key of an import', () => {
  it.each(Object.entries(importedFields))(
    'is named with %s where that is bad, and spoils no other',
    async (field, kind) => {
      const { service, call } = await start();
      const before = await contentsOf(service);
      for (const [title, value] of everyValue(kind)) {
        const row = { name: 'Imported', sha256: 'ab'.repeat(32) };
        const answer = await call('POST', '/admin/api-keys:import', {
          ...{ keys: [row, { ...row, [field]: value }], dry_run: true },
        });
        expect([title, answer.status]).toEqual([title, 200]);
        expect([title, answer.json.data.imported]).toEqual([title, 1]);
        const [failure, ...others] = answer.json.data.failures;
        expect([title, others]).toEqual([title, []]);
        expect([title, failure.index, isAbout(failure.field, field)]).toEqual([title, 1, true]);
        expect(failure.description, title).not.toMatch(libraryWords);
        expect(answer.text).not.toContain(tracer);
      }
      expect(await contentsOf(service)).toBe(before);
    },
  );
});

describe.each(queries)('the query of GET $path', (request) => {
  it.each(Object.entries(request.fields))('names %s where it is bad', async (field, kind) => {
    const listener = await start();
    const values = badValues[kind].flatMap(([title, value]) =>
      String(value) === '' && mayBeEmpty(field) ? [] : [[title, value] as const],
    );
    for (const [title, value] of [...values, ...queryValues(kind)]) {
      const query = `?${new URLSearchParams({ [field]: String(value) })}`;
      await expectNamed(listener, request, { title, field, query });
    }
  });

  it('names a parameter that there is none, one with an operator, and one that comes twice', async () => {
    const listener = await start();
    const [first = ''] = Object.keys(request.fields);
    for (const field of ['sort', `${first}[$ne]`, `${first}[]`, '__proto__', 'constructor', `$${first}`]) {
      const query = `?${new URLSearchParams({ [field]: tracer })}`;
      await expectNamed(listener, request, { title: field, field, query });
    }
    const twice = { title: 'twice', field: first, query: `?${first}=${tracer}&${first}=${tracer}` };
    await expectNamed(listener, request, twice);
  });
});

/** Empty is as absent where it is a place in a list, or a list of none. */
function mayBeEmpty(field: string): boolean {
  return ['page_token', 'resume_token', 'types'].includes(field);
}

function queryValues(kind: Kind): readonly (readonly [title: string, value: string])[] {
  if (kind !== 'size') return [];
  const sizes = [
    '',
    '1.5',
    '1e3',
    'NaN',
    'Infinity',
    '0x10',
    ' 1',
    '1,000',
    '２',
    '99999999999',
    '2147483648',
    tracer,
  ];
  return sizes.map((text) => [`the text ${text}`, text]);
}

describe('the id in the address', () => {
  it.each(badValues.owner.filter(([title]) => title !== 'nothing'))(
    'of an owner that is put is named where it holds %s',
    async (title, id) => {
      const listener = await start();
      const path = `/admin/owners/${encodeURIComponent(String(id))}`;
      await expectNamed(listener, { rpc: 'putOwner', method: 'PUT', path }, { title, field: 'id', body: {} });
    },
  );

  it.each([
    ...[
      '$ne',
      '__proto__',
      'constructor',
      '..',
      'key_',
      `key_${'0'.repeat(26)}`,
      `${tracer}\u202e`,
      `${tracer}\0`,
    ],
    ...[`${tracer}\n`, '{"$gt":""}', `key_${'0'.repeat(25)}\n`, tracer.repeat(100)],
  ])('of a key that is none is NOT_FOUND in words that do not tell it: %j', async (id) => {
    const { call, logged } = await start();
    for (const [method, rest, body] of [
      ...[
        ['GET', ''],
        ['GET', '/usage'],
        ['DELETE', ''],
        ['PATCH', '', {}],
        ['POST', '/rotate'],
        ['POST', '/enable'],
      ],
    ] as [string, string, object?][]) {
      const refused = await call(method, `/admin/api-keys/${encodeURIComponent(id)}${rest}`, body);
      // The dots of a path are taken by whoever sends it.
      expect([method, rest, refused.status]).toEqual([method, rest, id === '..' ? expect.any(Number) : 404]);
      expect(refused.text).not.toContain(tracer);
    }
    expect(JSON.stringify(logged)).not.toContain(tracer);
  });
});
