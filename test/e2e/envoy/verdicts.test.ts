import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Address, EnvoySettings } from '../../../deploy/envoy/configure.ts';
import { type Echo, startEcho } from '../../real/echo.ts';
import { startEnvoy } from '../../real/envoy.ts';
import { freePort } from '../../real/port.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { type Answer, admin, makeKey, send } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

/** What an operator may set in Envoy. */
const modes = {
  'as shipped': {},
  'without status_on_error': { statusOnError: null },
  'with failure_mode_allow': { failureModeAllow: true },
  'with failure_mode_allow and without status_on_error': { failureModeAllow: true, statusOnError: null },
} satisfies Record<string, EnvoySettings>;
const modeNames = Object.keys(modes) as (keyof typeof modes)[];

const unavailableAs = ['error_response', 'denied_response', 'rpc_error'] as const;

let echo: Echo;
let postern: Postern;
/** One for each way to tell Envoy of it. */
let cutOff: Record<(typeof unavailableAs)[number], Postern>;
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'postern-verdicts-'));
  [echo, postern] = await Promise.all([startEcho(), startPostern({})]);
  const [error, denied, rpc] = await Promise.all(unavailableAs.map(startCutOff));
  cutOff = { error_response: error, denied_response: denied, rpc_error: rpc } as typeof cutOff;
});
afterAll(async () => {
  await Promise.all([postern, echo, ...Object.values(cutOff ?? {})].map((part) => part?.stop()));
  await rm(scratch, { recursive: true, force: true });
});

describe.each(modeNames)('with Envoy %s', (mode) => {
  it('a denial is a denial: the status and words of its reason, and nothing for the upstream', async () => {
    const [revoked, powerless, used] = [
      await makeKey(postern),
      await makeKey(postern, { permissions: [] }),
      await makeKey(postern),
    ];
    await admin(postern, 'DELETE', `/admin/api-keys/${revoked.id}`);
    const url = await envoyBefore(postern.check, mode);
    const asked = echo.requests();
    const denied = async (path: string, key?: string) => {
      const { status, body } = await send(url, path, key === undefined ? [] : bearer(key));
      return `${status} ${JSON.parse(body).error.code}`;
    };
    expect(await denied('/')).toBe('401 missing_api_key');
    expect(await denied('/', 'rubbish')).toBe('401 invalid_api_key');
    expect(await denied('/', unknownKey())).toBe('401 invalid_api_key');
    expect(await denied('/', revoked.key)).toBe('401 revoked_api_key');
    expect(await denied('/test-env/', used.key)).toBe('401 invalid_api_key');
    expect(await denied('/write/', powerless.key)).toBe('403 insufficient_permissions');
    expect(echo.requests()).toBe(asked);
    expect((await send(url, '/', bearer(used.key))).status).toBe(200);
  });
});

describe('while the store cannot be reached', () => {
  it.each([
    ['error_response', 'as shipped', 503],
    ['error_response', 'without status_on_error', 503],
    ['error_response', 'with failure_mode_allow', 'allowed'],
    ['denied_response', 'as shipped', 503],
    ['denied_response', 'without status_on_error', 503],
    ['denied_response', 'with failure_mode_allow', 503],
  ] as const)(
    'told as %s, with Envoy %s, the outcome is %s, and a 503 says when to ask again',
    async (as, mode, outcome) => {
      const url = await envoyBefore(cutOff[as].check, mode);
      const answer = await send(url, '/', bearer(unknownKey()));
      expect(outcomeOf(answer)).toBe(outcome);
      if (outcome === 'allowed') return;
      expect(answer.headers).toMatchObject({ 'retry-after': '1', 'content-type': 'application/json' });
      expect(answer.body).toBe(
        '{"error":{"code":"unavailable","message":"API keys cannot be checked right now. Try again."}}',
      );
      expect(answer.headers).not.toHaveProperty('www-authenticate');
    },
  );

  it.each([
    ['as shipped', 503],
    ['without status_on_error', 403],
    ['with failure_mode_allow', 'allowed'],
  ] as const)('told as rpc_error, with Envoy %s, the outcome is %s', async (mode, outcome) => {
    const url = await envoyBefore(cutOff.rpc_error.check, mode);
    expect(outcomeOf(await send(url, '/', bearer(unknownKey())))).toBe(outcome);
  });

  it.each(unavailableAs)(
    'told as %s, with failure_mode_allow, what needs no store is denied as ever',
    async (as) => {
      const url = await envoyBefore(cutOff[as].check, 'with failure_mode_allow');
      const asked = echo.requests();
      expect((await send(url, '/')).status).toBe(401);
      expect((await send(url, '/', bearer('rubbish'))).status).toBe(401);
      expect((await send(url, '/powerverse/', [['x-api-key', 'rubbish']])).status).toBe(401);
      expect(echo.requests()).toBe(asked);
      expect((await send(url, '/public/')).status).toBe(200);
    },
  );
});

describe('while Postern does not answer', () => {
  const outcomes = [
    ['as shipped', 503],
    ['without status_on_error', 403],
    ['with failure_mode_allow', 'allowed'],
  ] as const;

  it.each(outcomes)('since it does not run, with Envoy %s, the outcome is %s', async (mode, outcome) => {
    const url = await envoyBefore({ host: '127.0.0.1', port: await freePort() }, mode);
    expect(outcomeOf(await send(url, '/', bearer(unknownKey())))).toBe(outcome);
  });

  it('since it hangs, a request is decided in the same way, until it answers again', async () => {
    const hanging = await startPostern({});
    onTestFinished(() => hanging.stop());
    const urls = await Promise.all(outcomes.map(([mode]) => envoyBefore(hanging.check, mode)));
    for (const url of urls) expect((await send(url, '/')).status).toBe(401);
    await hanging.kill('SIGSTOP');
    const answers = await Promise.all(urls.map((url) => send(url, '/', bearer(unknownKey()))));
    expect(answers.map(outcomeOf)).toEqual(outcomes.map(([, outcome]) => outcome));
    await hanging.kill('SIGCONT');
    for (const url of urls) await expect.poll(async () => (await send(url, '/')).status).toBe(401);
  });
});

describe.each([true, false])('with encode_raw_headers: %s', (encodeRawHeaders) => {
  it('two credentials are refused in every mode, be both of them good', async () => {
    const [one, two] = [await makeKey(postern), await makeKey(postern)];
    const third = await makeKey(postern, { scheme: 'powerverse' });
    for (const failureModeAllow of [false, true]) {
      const url = await envoyBefore(postern.check, { encodeRawHeaders, failureModeAllow });
      const asked = echo.requests();
      for (const headers of [
        [...bearer(one.key), ...bearer(two.key)],
        [...bearer(one.key), ...bearer(one.key)],
        [['authorization', `Bearer ${one.key}, Bearer ${two.key}`] as const],
        [['authorization', `Bearer ${one.key},${two.key}`] as const],
        [...bearer(one.key), ['x-api-key', third.key] as const],
        [...bearer(one.key), ['authorization', 'Basic eDp5'] as const],
      ]) {
        const { status, body } = await send(url, '/', headers);
        expect(`${status} ${body}`).toBe(
          '401 {"error":{"code":"invalid_api_key","message":"More than one API key was sent."}}',
        );
      }
      expect(echo.requests()).toBe(asked);
      expect((await send(url, '/', bearer(one.key))).upstream?.headers).not.toHaveProperty('authorization');
    }
  });
});

async function startCutOff(as: string): Promise<Postern> {
  const config = join(scratch, `${as}.yaml`);
  await writeFile(config, `check: { unavailable_as: ${as}, store_timeout: 5s }\nsettle_timeout: 30s\n`);
  const nobody = `mongodb://127.0.0.1:${await freePort()}/postern`;
  return startPostern({ POSTERN_CONFIG: config, POSTERN_STORE: nobody }, { ready: false });
}

/** The address of an Envoy in that mode that asks there; it ends with the test. */
async function envoyBefore(checkAddress: Address, mode: keyof typeof modes | EnvoySettings): Promise<string> {
  const settings = typeof mode === 'string' ? modes[mode] : mode;
  const envoy = await startEnvoy({ checkAddress, upstreamAddress: echo.address, ...settings });
  onTestFinished(() => envoy.stop());
  return envoy.url;
}

function outcomeOf({ status, upstream }: Answer): number | 'allowed' {
  return upstream === undefined ? status : 'allowed';
}

function bearer(key: string) {
  return [['authorization', `Bearer ${key}`]] as const;
}
