import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { blocksOf } from '../../docs/blocks.ts';
import { type Echo, startEcho } from '../../real/echo.ts';
import { type Envoy, shippedConfiguration } from '../../real/envoy.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { startChangedEnvoy } from '../routes.ts';
import { admin, makeKey, send } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

const page = blocksOf(readFileSync(new URL('../../../docs/rollout.md', import.meta.url), 'utf8'));
/** The page's blocks of YAML that hold this. */
function yamlWith(text: string): string {
  const block = page.find((one) => one.language === 'yaml' && one.text.includes(text));
  if (block === undefined) throw new Error(`docs/rollout.md has no YAML with ${text}`);
  return block.text;
}
const observeAll = yamlWith('# postern.yaml');
const enforceOne = yamlWith('path: /v1/orders/*');
const logLines = parse(yamlWith('would_be:')) as Record<string, string>;

/** A service whose settings file is written anew while it runs. */
async function startService(settings: string) {
  const folder = await mkdtemp(join(tmpdir(), 'postern-rollout-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'postern.yaml');
  const put = (text: string) => writeFile(file, `${text}\ncheck: { store_timeout: 5s }\n`);
  await put(settings);
  const postern = await startPostern({ POSTERN_CONFIG: file });
  onTestFinished(() => postern.stop());
  return { postern, put };
}

/** The shipped access log with the lines that the page adds. */
async function accessLog(): Promise<unknown> {
  const manager = ['static_resources', 'listeners', 0, 'filter_chains', 0, 'filters', 0, 'typed_config'];
  const document = parseDocument(await readFile(shippedConfiguration, 'utf8'));
  const log = document.getIn([...manager, 'access_log', 0]) as { toJS(document: unknown): unknown };
  const given = log.toJS(document) as { typed_config: { log_format: { json_format: object } } };
  const { log_format } = given.typed_config;
  const json_format = { ...log_format.json_format, ...logLines };
  return [{ ...given, typed_config: { ...given.typed_config, log_format: { json_format } } }];
}

interface Parts {
  readonly postern: Postern;
  readonly echo: Echo;
}

/** Envoy as the page has it while all is observed, and as it has it in the end. */
async function startEnvoys({ postern, echo }: Parts): Promise<{ observing: Envoy; enforcing: Envoy }> {
  const addresses = { checkAddress: postern.check, upstreamAddress: echo.address, removesEarly: true };
  const [observing, enforcing] = await Promise.all([
    // With the timeout of a busy machine, not the page's.
    startChangedEnvoy({ ...addresses, failureModeAllow: true, http: { access_log: await accessLog() } }),
    startChangedEnvoy(addresses),
  ]);
  onTestFinished(async () => {
    await Promise.all([observing.stop(), enforcing.stop()]);
  });
  return { observing, enforcing };
}

type Sent = readonly (readonly [string, string])[];

/** Callers that call one after another without a pause, and what they were answered, until they are stopped. */
function startCalling(
  url: string,
  callers: Readonly<Record<string, readonly [path: string, headers: Sent]>>,
) {
  const told = new Map<string, Map<number, number>>();
  let isStopped = false;
  const calling = Object.entries(callers).map(async ([name, [path, headers]]) => {
    const statuses = new Map<number, number>();
    told.set(name, statuses);
    while (!isStopped) {
      const { status } = await send(url, path, headers);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  });
  const ended = Promise.all(calling);
  const stop = async () => {
    isStopped = true;
    await ended;
  };
  onTestFinished(stop);
  /** The statuses that a caller has been answered since this was last asked. */
  const statusesOf = (name: string) => {
    const statuses = [...(told.get(name)?.keys() ?? [])];
    told.get(name)?.clear();
    return statuses.sort();
  };
  /** The same, once it has been answered at all. */
  const nextStatusesOf = (name: string) =>
    until(`${name} is answered`, () => {
      const statuses = statusesOf(name);
      return statuses.length > 0 && statuses;
    });
  return { statusesOf, nextStatusesOf, stop };
}

const bearer = (key: string): Sent => [['authorization', `Bearer ${key}`]];

it('the page is followed on an API under load, and no caller with a key is ever denied', async () => {
  const echo = await startEcho();
  onTestFinished(() => echo.stop());
  const { postern, put } = await startService(observeAll);
  const { observing, enforcing } = await startEnvoys({ postern, echo });
  const made = await makeKey(postern, { owner: 'acme' });
  const other = await makeKey(postern, { owner: 'globex', ip_allowlist: ['192.0.2.1'] });
  const calling = startCalling(observing.url, {
    keyed: ['/v1/orders/1', bearer(made.key)],
    keyless: ['/v1/orders/1', []],
    elsewhere: ['/v1/assets', []],
    unknown: ['/v1/assets', bearer(unknownKey())],
    outside: ['/v1/assets', bearer(other.key)],
  });
  const finallyAnswered = (name: string, status: number) =>
    until(
      `${name} is answered ${status} alone`,
      () => {
        const statuses = calling.statusesOf(name);
        return statuses.length === 1 && statuses[0] === status;
      },
      { everyMs: 500 },
    );

  // 1 and 3: all are allowed, and it is told who would not be.
  for (const reason of ['missing', 'unknown', 'address_denied'])
    await until(`${reason} is counted`, async () => {
      const metrics = await (await fetch(`${postern.url}/metrics`)).text();
      return metrics.includes(
        `postern_checks_total{decision="observed",reason="${reason}",scheme="postern"}`,
      );
    });
  await until('the access log tells of the owner, the route and the status', () =>
    wouldBeDenied(observing.log()).some(
      ({ owner, would_be, path }) => owner === 'globex' && would_be === 403 && path === '/v1/assets',
    ),
  );
  expect(await observedBy(postern)).toMatch(/observe/);
  for (const name of ['keyed', 'keyless', 'elsewhere', 'unknown', 'outside'])
    expect(await calling.nextStatusesOf(name), name).toEqual([200]);

  // 4: one route.
  await put(enforceOne);
  await until('a caller without a key is denied there', async () => {
    return calling.statusesOf('keyless').includes(401);
  });
  expect(await calling.nextStatusesOf('elsewhere')).toEqual([200]);

  // 5: everything, with an Envoy that lets nobody by when Postern is away.
  await put('');
  for (const name of ['keyless', 'elsewhere', 'unknown'])
    await until(`${name} is denied`, () => calling.statusesOf(name).includes(401));
  const statuses = async (path: string, headers: Sent) => (await send(enforcing.url, path, headers)).status;
  expect(await statuses('/v1/assets', [])).toBe(401);
  expect(await statuses('/v1/assets', bearer(other.key))).toBe(403);
  expect(await statuses('/v1/orders/1', bearer(made.key))).toBe(200);

  // Back.
  await put(observeAll);
  for (const name of ['keyless', 'elsewhere', 'unknown', 'outside']) await finallyAnswered(name, 200);
  expect(await calling.nextStatusesOf('keyed')).toEqual([200]);
  await calling.stop();
});

/** The lines that the page's jq selects. */
function wouldBeDenied(log: string): Record<string, unknown>[] {
  const lines = log.split('\n').filter((line) => line.startsWith('{"') && line.includes('"would_be"'));
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ observed, reason }) => observed === true && reason !== null);
}

/** What doctor says of observe mode. */
async function observedBy(postern: Postern): Promise<string> {
  const { data } = (await admin(postern, 'GET', '/admin/diagnostics')) as { data: unknown };
  return JSON.stringify(data);
}
