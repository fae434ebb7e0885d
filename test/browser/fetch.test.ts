import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startChangedEnvoy, startChangedStack } from '../e2e/routes.ts';
import { makeKey, type Stack } from '../e2e/stack.ts';
import { type Echo, startEcho } from '../real/echo.ts';
import type { Envoy } from '../real/envoy.ts';
import { launchBrowser, type Visitor, visit } from './visitor.ts';

/** A page of another origin in front of the API: the last rows of docs/clients.md. */

let stack: Stack;
/** Serves the page. */
let site: Echo;
/** With Envoy's CORS filter before the Check, for the page's origin. */
let cors: Envoy;
let browser: Browser;
let visitor: Visitor;
let key: string;
beforeAll(async () => {
  [stack, site, browser] = await Promise.all([startChangedStack('{}'), startEcho(), launchBrowser()]);
  const type = 'type.googleapis.com/envoy.extensions.filters.http.cors.v3';
  const policy = {
    ...{ '@type': `${type}.CorsPolicy`, allow_origin_string_match: [{ exact: site.url }] },
    ...{ allow_methods: 'GET, PUT', allow_headers: 'authorization' },
  };
  cors = await startChangedEnvoy({
    ...{ checkAddress: stack.postern.check, upstreamAddress: stack.echo.address },
    filters: [{ name: 'envoy.filters.http.cors', typed_config: { '@type': `${type}.Cors` } }],
    perFilter: { 'envoy.filters.http.cors': policy },
  });
  ({ key } = await makeKey(stack.postern));
  visitor = await visit(browser);
  await visitor.page.goto(site.url);
});
afterAll(async () => {
  await browser?.close();
  await Promise.all([cors?.stop(), stack?.stop(), site?.stop()]);
});

it("a page reads a denial and an allow where Envoy's CORS filter is in front of the Check", async () => {
  expect(await fetchIn(`${cors.url}/a`, 'rubbish')).toEqual([401, 'invalid_api_key']);
  expect(await fetchIn(`${cors.url}/a`)).toEqual([401, 'missing_api_key']);
  expect(await fetchIn(`${cors.url}/a`, key)).toEqual([200, null]);
});

it('a page reads nothing without it: neither a denial, nor an allow that a preflight goes before', async () => {
  const reached = stack.echo.requests();
  for (const secret of [undefined, 'rubbish', key])
    expect(await fetchIn(`${stack.envoy.url}/a`, secret)).toBe('TypeError: Failed to fetch');
  expect(stack.echo.requests()).toBe(reached);
});

/** Status and code as the page's own `fetch` has them, or what it throws. */
function fetchIn(url: string, secret?: string): Promise<unknown> {
  const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  return visitor.page.evaluate(`fetch(${JSON.stringify(url)}, { headers: ${JSON.stringify(headers)} }).then(
    async (answer) => [answer.status, (await answer.json()).error?.code ?? null],
    (error) => String(error),
  )`);
}
