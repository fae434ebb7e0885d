import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AttributeContext } from '../../../src/grpc/gen/envoy/service/auth/v3/attribute_context.ts';
import { CheckRequest } from '../../../src/grpc/gen/envoy/service/auth/v3/external_auth.ts';
import { startEnvoy } from '../../real/envoy.ts';
import {
  freshDatabase,
  type Member,
  type Mongo,
  startReplicaSet,
  startStandalone,
} from '../../real/mongod.ts';
import { freePort } from '../../real/port.ts';
import { type Address, adminKey, type Postern, startPostern } from '../../real/postern.ts';
import { earlierThan, until } from '../../real/until.ts';
import { checkRequest, health, sendCheck, watchHealth } from '../check-client.ts';
import { admin, makeKey, type Stack, send, startStack } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

let scratch: string;
let mongo: Mongo;
let member: Member;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'postern-trouble-'));
  mongo = await startReplicaSet({ own: true, electionTimeoutMs: 1_000 });
  member = mongo.members[0] as Member;
});
afterAll(async () => {
  await mongo?.stop();
  await rm(scratch, { recursive: true, force: true });
});

describe('a MongoDB that is not there at the start', () => {
  it('is waited for: alive, not ready, every key unavailable; ready by itself once it comes', async () => {
    await member.kill('SIGKILL');
    const postern = await start({ POSTERN_STORE: freshDatabase(mongo.uri).uri }, { ready: false });
    const [check, adminAddress] = [text(postern.check), text(postern.admin)];
    expect(await status(postern, '/healthz')).toBe(200);
    expect(await (await fetch(`${postern.url}/readyz`)).json()).toEqual({
      status: 'not ready',
      reason: 'the store has not been reached yet',
    });
    expect(await status(postern, '/readyz')).toBe(503);
    expect(await health(check)).toBe('NOT_SERVING');
    expect(await health(check, 'envoy.service.auth.v3.Authorization')).toBe('NOT_SERVING');
    expect(await health(adminAddress)).toBe('NOT_SERVING');
    expect(await sendCheck(check, bearer(unknownKey()))).toMatchObject({ code: 14, reason: 'unavailable' });
    expect(await sendCheck(check, bearer('rubbish'))).toMatchObject({ httpStatus: 401, reason: 'malformed' });
    expect((await create(postern)).status).toBe(503);

    await member.restart();
    await expect.poll(() => status(postern, '/readyz')).toBe(200);
    // Those who answer Checks hear of it after the service.
    await expect.poll(() => health(check)).toBe('SERVING');
    expect(await health(check, 'envoy.service.auth.v3.Authorization')).toBe('SERVING');
    expect(await health(adminAddress)).toBe('SERVING');
    const { key } = await makeKey(postern);
    expect(await sendCheck(check, bearer(key))).toMatchObject({ code: 0 });
  });

  it('is logged by its address, without the password and the options, and does not hold up the end', async () => {
    const address = `127.0.0.1:${await freePort()}/postern`;
    const uri = `mongodb://me:geheim@${address}?authMechanismProperties=AWS_SESSION_TOKEN:auch-geheim`;
    const postern = await start({ POSTERN_STORE: uri }, { ready: false });
    const why = await until('the outage is logged', () =>
      postern.logLines().find(({ msg }) => msg === `mongodb://${address} cannot be reached yet`),
    );
    expect(why).toMatchObject({ level: 40, why: expect.stringContaining('ECONNREFUSED') });
    await postern.kill('SIGTERM');
    expect(await postern.exited).toBe(0);
    expect(postern.log()).not.toContain('geheim');
  });
});

describe('a MongoDB that goes away while Postern runs', () => {
  let stack: Stack;
  const stalenessMaxMs = 6_000;
  beforeAll(async () => {
    const config = join(scratch, 'staleness.yaml');
    const patience = 'check: { store_timeout: 1s }\nsettle_timeout: 30s\n';
    await writeFile(config, `staleness_max: ${stalenessMaxMs / 1_000}s\n${patience}`);
    const { uri } = freshDatabase(mongo.uri);
    stack = await startStack({ POSTERN_STORE: uri, POSTERN_CONFIG: config });
  });
  afterAll(() => stack?.stop());

  it.each([
    ['hangs', 'SIGSTOP'],
    ['was killed', 'SIGKILL'],
  ] as const)(
    'and %s: known keys pass until memory is too old, no key is called unknown, all heals',
    async (_, signal) => {
      const { url } = stack.envoy;
      const [{ key }, { key: revoked, id }] = [await makeKey(stack.postern), await makeKey(stack.postern)];
      await admin(stack.postern, 'DELETE', `/admin/api-keys/${id}`);
      const asked = async (presented: string) => (await send(url, '/', header(presented))).status;
      await expect.poll(() => asked(key)).toBe(200);
      expect(await asked(revoked)).toBe(401);
      const missing = unknownKey();
      expect(await asked(missing)).toBe(401);

      // Right after the start, or an outage, answers come from the store until memory has a lease.
      await until('all three are answered from memory', async () => {
        const before = await hits(stack.postern);
        await Promise.all([key, revoked, missing].map(asked));
        return (await hits(stack.postern)) - before === 3;
      });
      const wentAway = performance.now();
      await member.kill(signal);
      for (const [known, status] of [
        [key, 200],
        [revoked, 401],
        [missing, 401],
      ] as const) {
        const answered = await asked(known);
        // On a slow machine the time may be over before all was asked.
        if (performance.now() - wentAway < stalenessMaxMs / 2) expect(answered).toBe(status);
      }
      const stranger = unknownKey();
      const answer = await send(url, '/', header(stranger));
      expect(answer.status).toBe(503);
      expect(answer.headers['retry-after']).toBe('1');
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'unavailable' } });
      expect(await asked('rubbish')).toBe(401);

      const whileAway = await until('memory is too old', async () => {
        const askedMs = performance.now() - wentAway;
        const answered = await asked(key);
        // Whoever asks later than that is told so, however long the answer takes.
        if (answered === 200) expect(askedMs).toBeLessThan(stalenessMaxMs);
        return answered !== 200 && { answered, afterMs: performance.now() - wentAway };
      });
      expect(whileAway.answered).toBe(503);
      expect(whileAway.afterMs).toBeGreaterThan(stalenessMaxMs / 2);
      expect([await asked(revoked), await asked(missing), await asked(stranger)]).toEqual([503, 503, 503]);
      expect(await status(stack.postern, '/readyz')).toBe(200);
      expect(await health(text(stack.postern.check))).toBe('SERVING');

      if (signal === 'SIGKILL') await member.restart();
      else await member.kill('SIGCONT');
      const seen = new Set<number>();
      await until('all is as before', async () => {
        const answers = [await asked(key), await asked(stranger), await asked(revoked)];
        seen.add(answers[0] ?? 0);
        return answers.join() === '200,401,401';
      });
      expect([...seen].filter((answered) => answered !== 200 && answered !== 503)).toEqual([]);
      expect((await create(stack.postern)).status).toBe(201);
    },
  );
});

describe('a standalone MongoDB', () => {
  it('serves, says in the log what it lacks, and nothing is answered from memory', async () => {
    const standalone = await startStandalone();
    onTestFinished(() => standalone.stop());
    const { uri } = freshDatabase(`mongodb://127.0.0.1:${standalone.members[0]?.port}`);
    const postern = await start({ POSTERN_STORE: uri });
    const errors = () => postern.logLines().filter(({ level }) => level === 50);
    await until('the log says so', () => errors().length > 0);
    expect(errors()).toEqual([
      expect.objectContaining({ msg: expect.stringMatching(/standalone.*replica set/) }),
    ]);
    const check = text(postern.check);
    const { id, key } = await makeKey(postern);
    for (let times = 0; times < 3; times++) {
      expect(await sendCheck(check, bearer(key))).toMatchObject({ code: 0 });
    }
    const metrics = await (await fetch(`${postern.url}/metrics`)).text();
    expect(metrics).toContain('postern_cache_entries{kind="key"} 0');
    expect(metrics).not.toContain('postern_cache_lookups_total{result="hit"}');
    await admin(postern, 'DELETE', `/admin/api-keys/${id}`);
    expect(await sendCheck(check, bearer(key))).toMatchObject({ httpStatus: 401, reason: 'revoked' });
    await standalone.members[0]?.kill('SIGSTOP');
    expect(await sendCheck(check, bearer(key))).toMatchObject({ code: 14, reason: 'unavailable' });
  });
});

describe('an end that is asked for', () => {
  it('waits for what is under way, says meanwhile that it is not ready, and exits with 0', async () => {
    const postern = await start({});
    const [check, rest] = [await halfACheck(postern), await halfACreate(postern)];
    await postern.kill('SIGTERM');
    await until('it drains', () => postern.log().includes('"msg":"draining"'));
    expect(await (await fetch(`${postern.url}/readyz`)).json()).toEqual({
      status: 'not ready',
      reason: 'the service is stopping',
    });
    expect(await status(postern, '/readyz')).toBe(503);
    expect(await check.finish()).toBeGreaterThan(0);
    expect(await rest.finish()).toMatch(/^HTTP\/1.1 201 /);
    expect(await postern.exited).toBe(0);
    expect(postern.logLines().at(-1)).toMatchObject({ msg: 'stopped' });
  });

  it('is not held up by connections that wait: an Envoy, a kept-alive one, a watch of the health', async () => {
    const stack = await startStack({});
    // Those who answer Checks hear that it is ready after the log.
    await expect.poll(() => health(text(stack.postern.check))).toBe('SERVING');
    const watch = watchHealth(text(stack.postern.check));
    const agent = new Agent({ keepAlive: true });
    onTestFinished(async () => {
      watch.stop();
      agent.destroy();
      await stack.stop();
    });
    expect((await send(stack.envoy.url, '/')).status).toBe(401);
    await expect.poll(() => watch.seen).toEqual(['SERVING']);
    await keptAlive(agent, `${stack.postern.url}/healthz`);
    await stack.postern.kill('SIGTERM');
    // A drain may last 20 s.
    expect(await earlierThan(15_000, () => stack.postern.exited)).toBe(0);
    await expect.poll(() => watch.seen).toEqual(['SERVING', 'NOT_SERVING']);
    expect((await send(stack.envoy.url, '/')).status).toBe(503);
  });

  it('comes at once when it is asked for again', async () => {
    const postern = await start({});
    const { socket } = await halfACreate(postern);
    await postern.kill('SIGTERM');
    await until('it drains', () => postern.log().includes('"msg":"draining"'));
    expect(socket.readyState).toBe('open');
    await postern.kill('SIGTERM');
    expect(await postern.exited).toBe(128 + 15);
  });
});

describe('what no client should send', () => {
  let postern: Postern;
  beforeAll(async () => {
    postern = await startPostern({});
  });
  afterAll(() => postern?.stop());

  it.each(['check', 'admin', 'http'] as const)(
    'as rubbish bytes to the %s listener leaves it answering',
    async (name) => {
      const address = name === 'http' ? new URL(postern.url) : postern[name];
      const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      const settings = Buffer.from('000000040000000000', 'hex');
      const rubbish = [
        Buffer.from('\0\x01\x02\xff'.repeat(5_000), 'latin1'),
        Buffer.from('GET / HTTP/1.1\r\nhost: \r\n\r\n\r\n\0\0'),
        Buffer.from(`GET / HTTP/1.1\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`),
        Buffer.from('POST /admin/api-keys HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n{'),
        Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'latin1'),
        preface,
        Buffer.concat([preface, Buffer.from('ffffff0104ffffffff', 'hex'), Buffer.alloc(70_000, 0xff)]),
        Buffer.concat([preface, settings, Buffer.from('0000050105000000017fffffffff', 'hex')]),
        Buffer.concat([preface, settings, Buffer.from('00000400080000000000000000', 'hex')]),
      ];
      await Promise.all(rubbish.map((bytes) => throwAt(Number(address.port), bytes)));
      await expect.poll(() => health(text(postern.check))).toBe('SERVING');
      expect(await health(text(postern.admin))).toBe('SERVING');
      const { key } = await makeKey(postern);
      expect(await sendCheck(text(postern.check), bearer(key))).toMatchObject({ code: 0 });
      expect(await status(postern, '/readyz')).toBe(200);
    },
  );

  it('as a header of a MiB is a denial, never an error that a failure mode could let pass', async () => {
    const { key } = await makeKey(postern);
    const long = 'x'.repeat(1_048_576);
    const denied = { httpStatus: 503, reason: 'unavailable' };
    const at = (headers: Record<string, string>) => sendCheck(text(postern.check), checkRequest(headers));
    expect(await at({ authorization: `Bearer ${long}` })).toMatchObject(denied);
    expect(await at({ authorization: `Bearer ${key}`, 'x-other': long })).toMatchObject(denied);
    expect(await at({ authorization: `Bearer ${key}`, 'x-other': long.repeat(8) })).toMatchObject(denied);
    expect(await at({ authorization: `Bearer ${key}`, 'x-other': long.slice(2_000) })).toMatchObject({
      code: 0,
    });
  });

  it('as a header of a MiB does not get past Envoy', async () => {
    const envoy = await startEnvoy({ checkAddress: postern.check, failureModeAllow: true });
    onTestFinished(() => envoy.stop());
    const { key } = await makeKey(postern);
    const headers = [...header(key), ['x-other', 'x'.repeat(1_048_576)] as const];
    expect((await send(envoy.url, '/', headers)).status).toBe(431);
  });

  it('as fields that this version does not know changes nothing', async () => {
    const { key } = await makeKey(postern);
    // Field 1000: a varint, text, eight bytes, four bytes; field 2, which a later CheckRequest may have.
    const unknown = Buffer.from(
      'c03e01' + 'c23e03616263' + 'c13e0102030405060708' + 'c53e01020304' + '120161',
      'hex',
    );
    const check = text(postern.check);
    for (const [presented, answer] of [
      [key, { code: 0 }],
      [unknownKey(), { httpStatus: 401, reason: 'unknown' }],
    ] as const) {
      const { attributes } = CheckRequest.decode(bearer(presented));
      if (attributes === undefined) throw new Error('no attributes');
      const inner = Buffer.concat([AttributeContext.encode(attributes).finish(), unknown.subarray(0, -3)]);
      const outer = Buffer.concat([
        unknown,
        Buffer.from([0x0a, (inner.length & 0x7f) | 0x80, inner.length >> 7]),
        inner,
      ]);
      expect(await sendCheck(check, outer)).toMatchObject(answer);
    }
  });
});

async function start(
  settings: Record<string, string>,
  options?: { readonly ready: boolean },
): Promise<Postern> {
  const postern = await startPostern(settings, options);
  onTestFinished(() => postern.stop());
  return postern;
}

function text({ host, port }: Address): string {
  return `${host}:${port}`;
}

function header(key: string) {
  return [['authorization', `Bearer ${key}`]] as const;
}

function bearer(key: string): Uint8Array {
  return checkRequest({ authorization: `Bearer ${key}` });
}

async function status(postern: Pick<Postern, 'url'>, path: string): Promise<number> {
  return (await fetch(postern.url + path)).status;
}

function create(postern: Pick<Postern, 'url'>): Promise<Response> {
  const headers = { authorization: `Bearer ${adminKey}` };
  return fetch(`${postern.url}/admin/api-keys`, { method: 'POST', headers, body: '{"name":"e2e"}' });
}

/** A Check whose last byte is still to come. `finish` resolves to how many bytes it was answered with. */
async function halfACheck(postern: Postern): Promise<{ finish(): Promise<number> }> {
  const session = connectHttp2(`http://${text(postern.check)}`);
  onTestFinished(() => session.destroy());
  const call = session.request({
    ':method': 'POST',
    ':path': '/envoy.service.auth.v3.Authorization/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const message = checkRequest({});
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  call.write(frame.subarray(0, -1));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let bytes = 0;
  call.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  call.on('error', reject).on('close', () => resolve(bytes));
  // An answered ping was sent after the call: the call has arrived.
  await new Promise((done) => session.ping(done));
  return {
    finish() {
      call.end(frame.subarray(-1));
      return promise.finally(() => session.close());
    },
  };
}

/** A CreateKey over REST whose body is still to come. `finish` resolves to the answer. */
async function halfACreate(postern: Postern): Promise<{ socket: Socket; finish(): Promise<string> }> {
  const { hostname, port } = new URL(postern.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => {
    socket.destroy();
  });
  let answer = '';
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  socket.on('error', () => {});
  const body = '{"name":"half"}';
  const head = [
    'POST /admin/api-keys HTTP/1.1',
    'host: x',
    'expect: 100-continue',
    `authorization: Bearer ${adminKey}`,
    `content-length: ${body.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  await until('the request has arrived', () => answer.startsWith('HTTP/1.1 100 Continue\r\n\r\n'));
  answer = '';
  return {
    socket,
    async finish() {
      socket.write(body);
      await ended;
      return answer;
    },
  };
}

/** Sends bytes and waits until the other side has closed or said something. */
function throwAt(port: number, bytes: Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => {
    socket.destroy();
  });
  socket.on('data', () => resolve());
  socket.on('close', () => resolve());
  socket.on('error', () => {});
  socket.end(bytes);
  return promise;
}

function keptAlive(agent: Agent, url: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  request(url, { agent }, (response) => response.resume().on('end', () => resolve()))
    .on('error', reject)
    .end();
  return promise;
}

/** How many Checks were answered from memory. */
async function hits(postern: Postern): Promise<number> {
  const text = await (await fetch(`${postern.url}/metrics`)).text();
  const counts = text.matchAll(/^postern_cache_lookups_total\{result="(?:hit|miss)"\} (\d+)/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}
