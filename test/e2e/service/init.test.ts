import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postern as command } from '../../cli/console.ts';
import { type Echo, startEcho } from '../../real/echo.ts';
import { startEnvoy } from '../../real/envoy.ts';
import { freePort } from '../../real/port.ts';
import { type Postern, startPostern } from '../../real/postern.ts';
import { makeKey, send } from '../stack.ts';

let postern: Postern;
let echo: Echo;
let url: string;
let stop: () => Promise<void>;

beforeAll(async () => {
  [postern, echo] = await Promise.all([startPostern({}), startEcho()]);
  const { check } = postern;
  const { stdout } = await command([
    ...['init', 'envoy', '--listen', `127.0.0.1:${await freePort()}`],
    ...['--upstream', `${echo.address.host}:${echo.address.port}`, '--check', `${check.host}:${check.port}`],
  ]);
  // Nothing is changed but the port of its administration, which another Envoy of the suite may have, and the time.
  const configYaml = stdout.replace('port_value: 9901', 'port_value: 0');
  const envoy = await startEnvoy({ configYaml });
  ({ url, stop } = envoy);
});
afterAll(async () => {
  await Promise.all([stop?.(), postern?.stop(), echo?.stop()]);
});

describe('what postern init envoy prints', () => {
  it('allows a key, and tells the upstream whose it is and not what it is', async () => {
    const { key, id } = await makeKey(postern, { owner: 'acme' });

    const allowed = await send(url, '/public/things', [
      ['authorization', `Bearer ${key}`],
      ['x-postern-owner', 'root'],
    ]);

    expect(allowed.status).toBe(200);
    expect(allowed.upstream?.headers).toMatchObject({
      'x-postern-key-id': [id],
      'x-postern-owner': ['acme'],
    });
    expect(JSON.stringify(allowed.upstream)).not.toContain(key);
  });

  it('is what the service says to do next when it has started', async () => {
    const { host, port } = postern.check;

    await expect
      .poll(() => postern.log())
      .toContain(`  postern init envoy --check ${host}:${port} --output envoy.yaml\n`);
  });

  it.each(['/', '/public/things', '/healthz'])('asks for a key on %s', async (path) => {
    const denied = await send(url, path);

    expect(denied).toMatchObject({ status: 401, upstream: undefined });
    expect(denied.body).toContain('missing_api_key');
  });

  it('denies with 503 while Postern is away', async () => {
    const { key } = await makeKey(postern);
    await postern.stop();

    const denied = await send(url, '/', [['authorization', `Bearer ${key}`]]);

    expect(denied).toMatchObject({ status: 503, upstream: undefined });
  });
});
