import { expect, it, onTestFinished } from 'vitest';
import { until } from '../real/until.ts';
import { startListener, type TestListener } from './listener.ts';

it('sends each event as one of Server-Sent Events, with an id to go on after', async () => {
  const listener = await startListener();
  const stream = await openStream(listener, '/admin/events');
  expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(stream.headers.get('cache-control')).toBe('no-store');
  await until('the first answer', () => stream.text().includes('id: '));
  const { id } = await listener.create({ name: 'a key', owner: 'acme' });
  await listener.call('DELETE', `/admin/api-keys/${id}`);

  const [made, revoked] = await stream.events(2);
  expect(stream.text()).toMatch(/^retry: 1000\n\n: nothing new\nid: evt_0{16}\n\n/);
  expect(made).toMatchObject({ id: 'evt_0000000000000001', event: 'key.created' });
  expect(Object.keys(made?.data)).toEqual(['id', 'type', 'at', 'target', 'owner', 'actor', 'details']);
  expect(made?.data).toMatchObject({ type: 'key.created', target: id, owner: 'acme' });
  expect(revoked?.data).toMatchObject({
    details: { before: { state: 'active' }, after: { state: 'revoked' } },
  });
  expect(stream.text()).not.toContain('digest');
});

it('goes on after Last-Event-ID, and after resume_token where there is none', async () => {
  const listener = await startListener();
  for (const name of ['1', '2', '3']) await listener.create({ name });
  const byQuery = await openStream(listener, '/admin/events?resume_token=evt_0000000000000001');
  expect((await byQuery.events(2)).map(({ id }) => id.slice(-1))).toEqual(['2', '3']);
  const both = await openStream(listener, '/admin/events?resume_token=evt_0000000000000001', {
    'last-event-id': 'evt_0000000000000002',
  });
  expect((await both.events(1)).map(({ id }) => id.slice(-1))).toEqual(['3']);
});

it('sends only the types that are asked for', async () => {
  const listener = await startListener();
  const stream = await openStream(
    listener,
    '/admin/events?types=key.disabled,key.enabled&resume_token=evt_0000000000000000',
  );
  const { id } = await listener.create();
  for (const verb of ['disable', 'enable']) await listener.call('POST', `/admin/api-keys/${id}/${verb}`);
  expect((await stream.events(2)).map(({ event }) => event)).toEqual(['key.disabled', 'key.enabled']);
});

it('answers as JSON what it cannot begin, and has no HEAD', async () => {
  const { call } = await startListener();
  const refused = await call('GET', '/admin/events', undefined, { authorization: '' });
  expect(refused.status).toBe(401);
  expect(refused.json.error.code).toBe('UNAUTHENTICATED');
  const odd = await call('GET', '/admin/events?types=nonsense&other=1');
  const fields = odd.json.error.details.fields.map(({ field }: { field: string }) => field);
  expect(fields).toEqual(['types.0', 'other']);
  expect((await call('HEAD', '/admin/events')).status).toBe(405);
});

it('ends when the service drains, and lets it end at once', async () => {
  const listener = await startListener();
  const stream = await openStream(listener, '/admin/events');
  await until('the first answer', () => stream.text().includes('id: '));
  listener.service.tail.close();
  await stream.ended;
  await listener.close();
});

it('frees everything when its receiver leaves', async () => {
  const listener = await startListener();
  for (let round = 0; round < 300; round++) {
    const end = new AbortController();
    const response = await fetch(`${listener.base}/admin/events`, {
      headers: { authorization: listener.service.adminAuthorization },
      signal: end.signal,
    });
    expect(response.status).toBe(200);
    end.abort();
  }
});

interface SseEvent {
  readonly id: string;
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of every shape.
  readonly data: any;
}

/** Reads a stream until the test ends. */
async function openStream(listener: TestListener, path: string, more: Record<string, string> = {}) {
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const headers = { authorization: listener.service.adminAuthorization, ...more };
  const response = await fetch(listener.base + path, { headers, signal: end.signal });
  expect(response.status).toBe(200);
  let text = '';
  const read = async () => {
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) text += part;
  };
  const ended = read().catch(() => {});

  return {
    headers: response.headers,
    text: () => text,
    ended,
    events: (count: number) => until(`${count} events`, () => parse(text).length >= count && parse(text)),
  };
}

function parse(text: string): SseEvent[] {
  const blocks = text.split('\n\n').slice(0, -1);
  return blocks.flatMap((block) => {
    const fields = block.split('\n').map((line) => line.split(/: (.*)/s));
    const members = Object.fromEntries(fields);
    return members.data === undefined ? [] : [{ ...members, data: JSON.parse(members.data) }];
  });
}
