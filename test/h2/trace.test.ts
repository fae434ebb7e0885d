import { expect, it } from 'vitest';
import { createH2Listener } from '../../src/h2/listener.ts';
import type { TraceHeaders } from '../../src/tracing/tracing-context.ts';
import { call, callFields, data, type Fields, headers, message, RawClient } from './raw-client.ts';

it('a call tells its handler of the trace that it names, each its own, whatever else is the same', async () => {
  const seen: TraceHeaders[] = [];
  const method = {
    kind: 'unary' as const,
    handle(request: Uint8Array, { traceparent, tracestate }: TraceHeaders) {
      seen.push({ traceparent, tracestate });
      return Buffer.from(request);
    },
  };
  const listener = createH2Listener(new Map([['/test.Echo/Echo', method]]));
  const client = await RawClient.connect(await listener.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }));
  const sent: Fields[] = [
    [['traceparent', 'one']],
    [['traceparent', 'one']],
    [],
    [
      ['tracestate', 'a=1'],
      ['traceparent', 'two'],
      ['tracestate', 'b=2'],
    ],
    [
      ['traceparent', 'one'],
      ['traceparent', 'two'],
    ],
  ];
  for (const [index, fields] of sent.entries()) {
    const id = 2 * index + 1;
    client.send(headers(id, [...callFields('/test.Echo/Echo'), ...fields]), data(id, message('x')));
    await client.outcome(id);
  }
  client.send(call(99, 'and none again'));
  await client.outcome(99);
  const none = { traceparent: '', tracestate: '' };
  expect(seen).toEqual([
    { traceparent: 'one', tracestate: '' },
    { traceparent: 'one', tracestate: '' },
    none,
    { traceparent: 'two', tracestate: 'a=1,b=2' },
    { traceparent: 'one,two', tracestate: '' },
    none,
  ]);
  client.close();
  await listener.close(0);
});
