import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChangedStack } from '../routes.ts';
import { makeKey, type Stack } from '../stack.ts';

const mebibyte = 1_048_576;

describe.each([
  ['as bytes', true],
  ['as text', false],
])('a body that Envoy sends along %s', (_, packAsBytes) => {
  let stack: Stack;
  let key: string;
  beforeAll(async () => {
    const filter = {
      with_request_body: { max_request_bytes: 8 * mebibyte, pack_as_bytes: packAsBytes },
    };
    stack = await startChangedStack('check: { request_bytes_max: 4096, store_timeout: 5s }', {}, { filter });
    ({ key } = await makeKey(stack.postern));
  });
  afterAll(() => stack?.stop());

  const post = (length: number, headers: Readonly<Record<string, string>> = {}) =>
    fetch(stack.envoy.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, ...headers },
      body: 'x'.repeat(length),
    });

  it.each([0, 4_096, 2 * mebibyte, 7 * mebibyte])('of %d bytes is nothing to the key', async (length) => {
    expect((await post(length)).status).toBe(200);
  });

  it('does not make a key invalid where the headers are too long for Postern', async () => {
    const answer = await post(0, { 'x-long': 'x'.repeat(5_000) });
    expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining('"unavailable"')]);
  });

  it('is judged like any other: no key, no way through', async () => {
    expect((await post(2 * mebibyte, { authorization: '' })).status).toBe(401);
  });
});
