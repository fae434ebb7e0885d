import { describe, expect, it } from 'vitest';
import { sendRaw, startListener } from '../http/listener.ts';
import { bodies } from './requests.ts';
import { tracer } from './values.ts';
import { actionOf, expectRefusal } from './watched.ts';

const utf16 = Buffer.from(`\ufeff{"name":"${tracer}"}`, 'utf16le');
const deep = (open: string, close: string, count: number) => open.repeat(count) + close.repeat(count);

/** What is not a JSON object that can be read. */
const notRead: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>> = {
  'a word': tracer,
  'a text': `"${tracer}"`,
  'a number': '7',
  'a list': `[{"name":"${tracer}"}]`,
  null: 'null',
  'two objects': '{}{}',
  'half an object': `{"name":"${tracer}"`,
  'a comma too many': `{"name":"${tracer}",}`,
  'single quotes': `{'name':'${tracer}'}`,
  'a comment': `{"name":"a"} // ${tracer}`,
  'no number': '{"name":NaN}',
  'a control character in a text': `{"name":"${tracer}\n"}`,
  'half an escape': '{"name":"\\u00"}',
  'a list without end': '['.repeat(200_000),
  'a list in a list in a list': deep('[', ']', 200_000),
  'UTF-16': utf16,
  'Latin-1': Buffer.from(`{"name":"${tracer}\xe9"}`, 'latin1'),
  'bytes of no text': Buffer.from([0xff, 0xfe, 0x00, 0x80]),
  'half a character': Buffer.from('{"name":"\xc3"}', 'latin1'),
  'a surrogate in UTF-8': Buffer.concat([
    Buffer.from('{"name":"'),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from('"}'),
  ]),
  'a form': `name=${tracer}&owner=acme`,
  XML: `<name>${tracer}</name>`,
};

async function start() {
  const listener = await startListener();
  const { id } = await listener.create({ name: 'There' });
  await listener.call('PUT', '/admin/owners/acme', {});
  const send = async (
    method: string,
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ) => {
    const response = await fetch(listener.base + path.replace('{id}', id), {
      ...{ method, body, headers: { authorization: listener.service.adminAuthorization, ...headers } },
    });
    const text = await response.text();
    return { status: response.status, text, fields: JSON.parse(text).error?.details.fields };
  };
  return { ...listener, send };
}

describe.each(bodies)('a body of $method $path', ({ rpc, method, path, good }) => {
  it('that is not a JSON object that can be read is refused as a whole', async () => {
    const { service, send, logged } = await start();
    for (const [title, body] of Object.entries(notRead)) {
      const call = () => send(method, path, body);
      const { status, text, fields } = await expectRefusal(service, actionOf(rpc), call);
      const named = [{ field: '(body)', description: expect.any(String) }];
      expect([title, status, fields]).toEqual([title, 400, named]);
      expect(text + JSON.stringify(logged)).not.toContain(tracer);
    }
  });

  it('that says a thing twice is refused with the name of it, however the name is written', async () => {
    const { service, send } = await start();
    const members = JSON.stringify({ ...good, name: tracer }).slice(1, -1);
    for (const [body, field] of [
      [`{${members},"name":"${tracer}"}`, 'name'],
      [`{${members},"n\\u0061me":"${tracer}"}`, 'name'],
      [`{${members},"labels":{"a":"1","b":"}{,","a":"${tracer}"}}`, 'labels.a'],
      [`{"x":[{"y":1},{"y":"\\\\","y":"\\""}]}`, 'x.1.y'],
      [`{"__proto__":1,"__proto__":"${tracer}"}`, '__proto__'],
    ] as const) {
      const refused = await expectRefusal(service, actionOf(rpc), () => send(method, path, body));
      expect([body, refused.status]).toEqual([body, 400]);
      expect([body, refused.fields]).toEqual([body, [{ field, description: 'is given more than once' }]]);
    }
  });
});

it('names that stand twice in a body, but in two objects or as values, are fine', async () => {
  const { send } = await start();
  const body =
    '{"name":"name","labels":{"name":"name","a":"{\\"a\\":1,\\"a\\":2}"},"permissions":["name","name"]}';
  expect(await send('POST', '/admin/api-keys', body)).toMatchObject({ status: 201 });
});

it('a body is read the same whatever it is said to be, with a byte order mark or without', async () => {
  const { send, call } = await start();
  const body = Buffer.from('\ufeff{"name":"Grüße 👋"}');
  for (const type of ['application/json; charset=utf-16', 'text/xml; charset=iso-8859-1', 'x', '']) {
    const { status, text } = await send('POST', '/admin/api-keys', body, { 'content-type': type });
    expect([type, status, JSON.parse(text).data?.name]).toEqual([type, 201, 'Grüße 👋']);
  }
  const { json } = await call('GET', '/admin/api-keys?name_contains=gr%C3%BC%C3%9Fe');
  expect(json.data).toHaveLength(4);
});

it('a body that says that it is compressed is taken for what its bytes are', async () => {
  const { send } = await start();
  const { status, fields } = await send('POST', '/admin/api-keys', '\x1f\x8b', {
    'content-encoding': 'gzip',
  });
  expect([status, fields[0].field]).toEqual([400, '(body)']);
});

it('an error stays short, however many fields there are that there are none, and however long', async () => {
  const { send } = await start();
  const many = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`field_${at}`, 1]));
  for (const sent of [many, { ['x'.repeat(500_000)]: 1 }, { [`\n\u202e\u001b[2J${'\ud800'}`]: 1 }]) {
    const { status, text, fields } = await send(
      'POST',
      '/admin/api-keys',
      JSON.stringify({ name: 'a', ...sent }),
    );
    expect(status).toBe(400);
    expect(text.length).toBeLessThan(5_000);
    for (const { field } of fields) expect(field).toMatch(/^[\x20-\x7e\ufffd]{1,100}$/);
  }
});

it('a nest of objects that say things twice is refused in no time', async () => {
  const { send } = await start();
  const body = `${'{"a":1,"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`;
  const before = process.cpuUsage();
  expect((await send('POST', '/admin/api-keys', body)).status).toBe(400);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000, 'milliseconds of processor time').toBeLessThan(2_000);
});

it.each([
  ['a second line', 'GET /admin/api-keys HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\n b\r\n'],
  ['a NUL', 'GET /admin/api-keys HTTP/1.1\r\nHost: a\r\nX-Request-Id: a\0b\r\n'],
  ['two lengths', 'POST /admin/api-keys HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n'],
  [
    'a length and chunks',
    'POST /admin/api-keys HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n',
  ],
  ['a negative length', 'POST /admin/api-keys HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n'],
])('a head with %s is no request', async (_, head) => {
  const { port } = await start();
  expect(await sendRaw(port, `${head}Connection: close\r\n\r\n{}`)).toMatch(/^HTTP\/1.1 400 /);
});
