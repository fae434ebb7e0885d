import { expect, it } from 'vitest';
import { createLogger } from '../../src/telemetry/log.ts';

it('writes the denials of one turn at once, and every other line right away and in its order', async () => {
  const writes: string[] = [];
  const log = createLogger('info', { write: (text) => writes.push(text) });
  const written = () => writes.map((text) => text.match(/"n":\d+/g));
  log.info({ n: 1 }, 'listening');
  log.info({ n: 2 }, 'denied');
  log.info({ n: 3, other: undefined }, 'denied');
  expect(written()).toEqual([['"n":1']]);
  log.warn({ n: 4 }, 'the store is away');
  expect(written()).toEqual([['"n":1'], ['"n":2', '"n":3'], ['"n":4']]);
  log.info({ n: 5 }, 'denied');
  await new Promise((resolve) => setImmediate(resolve));
  expect(written().at(-1)).toEqual(['"n":5']);
  for (const line of writes.join('').trimEnd().split('\n')) {
    expect(JSON.parse(line)).toMatchObject({ time: expect.stringMatching(/^\d{4}-.*Z$/) });
    expect(line).not.toContain('other');
  }
});

it('holds no more than a bound of lines back', () => {
  const writes: string[] = [];
  const log = createLogger('info', { write: (text) => writes.push(text) });
  for (let n = 0; n < 1_000; n++) log.info({ address: '192.0.2.1' }, 'denied');
  expect(writes.length).toBeGreaterThan(2);
  expect(Math.max(...writes.map(({ length }) => length))).toBeLessThan(20_000);
});
