import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { until } from '../../real/until.ts';
import { startChangedEnvoy, startConfigured } from '../routes.ts';
import { admin, makeKey, send } from '../stack.ts';

/** The blocks of YAML of a page, in their order. */
async function recipe(page: string): Promise<readonly string[]> {
  const text = await readFile(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
  const [, section = ''] = text.split('### A token budget');
  return [...section.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml);
}

/** Answers each request with the tokens that its path names. */
async function startModel() {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'x-tokens': request.url?.split('/').at(-1) ?? '0' });
    response.end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

it('an upstream says what a request cost, Envoy charges it, and the next Check is denied when the budget is gone', async () => {
  const [settings = '', filters = ''] = await recipe('limits.md');
  const postern = await startConfigured(settings.replace('1000000', '1000'));
  onTestFinished(() => postern.stop());
  const upstreamAddress = await startModel();
  const envoy = await startChangedEnvoy({
    ...{ checkAddress: postern.check, upstreamAddress },
    filtersBehind: parse(filters) as Record<string, unknown>[],
  });
  onTestFinished(() => envoy.stop());
  const [one, other] = [
    await makeKey(postern, { owner: 'acme', plan: 'tokens' }),
    await makeKey(postern, { owner: 'acme', plan: 'tokens' }),
  ];
  const ask = (key: string, tokens: number) =>
    send(envoy.url, `/v1/chat/${tokens}`, [['authorization', `Bearer ${key}`]]);
  const used = async () => {
    const { data } = (await admin(postern, 'GET', `/admin/api-keys/${one.id}/limits`)) as {
      data: { used: number; remaining: number }[];
    };
    return data[0];
  };

  expect((await ask(one.key, 400)).status).toBe(200);
  await until('400 tokens are charged', async () => (await used())?.used === 400);
  expect((await ask(other.key, 700)).status).toBe(200);
  await until('1100 tokens are charged', async () => (await used())?.used === 1_100);
  // The store counts a charge a moment before those who answer Checks are told; one of no tokens changes nothing.
  await until('the next Check is denied', async () => (await ask(one.key, 0)).status === 429);
  const denied = await ask(one.key, 1);
  expect([denied.status, (await ask(other.key, 1)).status]).toEqual([429, 429]);
  expect(Number(denied.headers['retry-after'])).toBeGreaterThan(0);
  expect(await used()).toMatchObject({ used: 1_100, remaining: 0 });

  // What is given back lets the next one pass.
  await admin(postern, 'POST', `/admin/api-keys/${one.id}:charge`, { units: -600, request_id: 'refund' });
  expect((await ask(one.key, 1)).status).toBe(200);
});
