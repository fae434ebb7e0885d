import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { serve } from '../../../src/cli/serving/serve.ts';
import type { Running } from '../../real/child.ts';
import { freePort } from '../../real/port.ts';
import { adminKey, launchPostern, startPostern, withoutCompileCache } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, health, sendCheck } from '../check-client.ts';
import { admin, makeKey } from '../stack.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'postern-start-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('a port that another process has', () => {
  let other: Server;
  let taken: string;
  beforeAll(async () => {
    other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    taken = `127.0.0.1:${typeof address === 'object' && address?.port}`;
  });
  afterAll(() => new Promise((resolve) => other.close(resolve)));

  it.each([
    ['check.listen', 'POSTERN_CHECK_LISTEN'],
    ['admin.listen', 'POSTERN_ADMIN_LISTEN'],
    ['http.listen', 'POSTERN_HTTP_LISTEN'],
  ])('ends the start with 1 and a line that names %s and the address', async (setting, variable) => {
    const { code, said } = await outcome({ [variable]: taken });
    expect(said).toEqual([`${setting}: ${taken} is taken: another process listens there`]);
    expect(code).toBe(1);
  });
});

describe('wrong settings end the start with 2', () => {
  it.each([
    [
      'a typo in a key',
      'log:\n  level: info\ncheck:\n  listne: 127.0.0.1:1\n',
      4,
      'check.listne: there is no setting "listne"; did you mean listen?',
    ],
    [
      'a typo at the top',
      '# mine\nstalenes_max: 3s\n',
      2,
      'stalenes_max: there is no setting "stalenes_max"; did you mean staleness_max?',
    ],
    [
      'a number where a duration belongs',
      'staleness_max: 15\n',
      1,
      /^staleness_max: expected a duration .*, got the number 15/,
    ],
    [
      'a duration without a unit',
      'staleness_max: "15"\n',
      1,
      /^staleness_max: expected a duration from 1s to 1h/,
    ],
    ['a list where a map belongs', 'check: [1]\n', 1, 'check: expected a map, got a list'],
    [
      'a word that is none of the choices',
      'check:\n  unavailable_as: allow\n',
      2,
      /^check.unavailable_as: .*"error_response"/,
    ],
    [
      'an address that is none',
      'http:\n  listen: "8080"\n',
      2,
      'http.listen: expected host:port, [ipv6]:port or unix:/path',
    ],
    [
      'a preset that there is not',
      'schemes: [postern, powervers]\n',
      1,
      /^schemes.1: there is no preset "powervers"; .*powerverse/,
    ],
    ['what is no YAML', 'check:\n  listen: [\n', 3, /./],
    ['a key that is there twice', 'store: "sqlite:a"\nstore: "sqlite:b"\n', 2, /unique/],
  ])('with %s in the file, by file and line', async (_, yaml, line, message) => {
    const file = join(scratch, `${crypto.randomUUID()}.yaml`);
    await writeFile(file, yaml);
    const { code, said } = await outcome({
      POSTERN_HTTP_LISTEN: '',
      POSTERN_STORE: '',
      POSTERN_CONFIG: file,
    });
    expect(said).toHaveLength(1);
    const [, where, what] = /^(.*?:\d+): (.*)$/.exec(said[0] ?? '') ?? [];
    expect(where).toBe(`${file}:${line}`);
    if (typeof message === 'string') expect(what).toBe(message);
    else expect(what).toMatch(message);
    expect(code).toBe(2);
  });

  it.each([
    [
      'an unknown variable',
      { POSTERN_STROE: 'sqlite:x' },
      'POSTERN_STROE: there is no such setting; did you mean POSTERN_STORE?',
    ],
    [
      'an unknown form from a file',
      { POSTERN_STROE_FILE: '/x' },
      /^POSTERN_STROE_FILE: there is no such setting/,
    ],
    [
      'an ill-typed variable',
      { POSTERN_CHECK_LISTEN: 'nowhere' },
      'POSTERN_CHECK_LISTEN: check.listen: expected host:port, [ipv6]:port or unix:/path',
    ],
    ['a store of no kind', { POSTERN_STORE: 'postgres://x' }, /^POSTERN_STORE: store: expected sqlite:FILE/],
    [
      'an admin key that is too short',
      { POSTERN_ADMIN_KEY: 'x'.repeat(31) },
      'POSTERN_ADMIN_KEY: expected 32 or more printable ASCII characters without spaces',
    ],
    [
      'a file that is not there',
      { POSTERN_ADMIN_KEY: '', POSTERN_ADMIN_KEY_FILE: '/nowhere' },
      'POSTERN_ADMIN_KEY_FILE: /nowhere cannot be read: ENOENT, there is no such file',
    ],
    [
      'a value and a file for it',
      { POSTERN_ADMIN_KEY_FILE: '/x' },
      /^POSTERN_ADMIN_KEY and POSTERN_ADMIN_KEY_FILE are both set/,
    ],
    [
      'a settings file that is not there',
      { POSTERN_CONFIG: '/nowhere.yaml' },
      '/nowhere.yaml cannot be read: ENOENT, there is no such file',
    ],
    [
      'a MongoDB address without a database',
      { POSTERN_STORE: 'mongodb://me:geheim@localhost:1' },
      /database/,
    ],
    [
      'a MongoDB address that is none',
      { POSTERN_STORE: 'mongodb://me:ge:heim@@localhost:1/x' },
      /^POSTERN_STORE: store: the MongoDB address cannot be read/,
    ],
  ])('with %s in the environment, by its name', async (_, settings: Record<string, string>, message) => {
    const { code, said, log } = await outcome(settings);
    expect(said).toHaveLength(1);
    if (typeof message === 'string') expect(said[0]).toBe(message);
    else expect(said[0]).toMatch(message);
    expect(code).toBe(2);
    expect(log).not.toContain('heim');
    expect(log).not.toMatch(/^ +at /m);
  });
});

it('what is wrong goes to standard error, and the process ends with its code', async () => {
  const settings = { POSTERN_LOG_LEVEL: 'silent' };
  for (const [wrong, code, line] of [
    [{ POSTERN_STROE: 'x' }, 2, 'POSTERN_STROE: there is no such setting; did you mean POSTERN_STORE?'],
    [
      { POSTERN_STORE: `sqlite:${scratch}` },
      1,
      expect.stringMatching(`^${scratch} could not be opened: EISDIR`),
    ],
  ] as const) {
    const child = await launch({ ...settings, ...wrong });
    expect(await child.exited).toBe(code);
    expect(said(child.log())).toEqual([line]);
  }
});

describe('a start succeeds', () => {
  it('beside what Kubernetes puts into the environment for a service named postern', async () => {
    const postern = await startPostern({
      POSTERN_SERVICE_HOST: '10.0.0.1',
      POSTERN_SERVICE_PORT: '50051',
      POSTERN_SERVICE_PORT_GRPC_CHECK: '50051',
      POSTERN_PORT: 'tcp://10.0.0.1:50051',
      POSTERN_PORT_50051_TCP: 'tcp://10.0.0.1:50051',
      POSTERN_PORT_50051_TCP_PROTO: 'tcp',
      POSTERN_PORT_50051_TCP_PORT: '50051',
      POSTERN_PORT_50051_TCP_ADDR: '10.0.0.1',
      POSTERN_ADMIN_SERVICE_HOST: '10.0.0.2',
      POSTERN_ADMIN_PORT_50052_TCP_ADDR: '10.0.0.2',
    });
    onTestFinished(() => postern.stop());
    expect((await fetch(`${postern.url}/readyz`)).status).toBe(200);
  });

  it('with the admin key in a file, whose last line end does not count', async () => {
    const file = join(scratch, 'admin-key');
    await writeFile(file, `${adminKey}\n`);
    const postern = await startPostern({ POSTERN_ADMIN_KEY: '', POSTERN_ADMIN_KEY_FILE: file });
    onTestFinished(() => postern.stop());
    expect(await makeKey(postern)).toMatchObject({ name: 'e2e' });
    expect(postern.log()).not.toContain(adminKey);
  });

  it('in a folder for SQLite that is not there yet', async () => {
    const store = `sqlite:${join(scratch, 'a', 'b', 'keys.db')}`;
    const postern = await startPostern({ POSTERN_STORE: store });
    onTestFinished(() => postern.stop());
    expect(await makeKey(postern)).toMatchObject({ name: 'e2e' });
  });
});

describe('a SQLite file that cannot be had ends the start with 1', () => {
  it('where another Postern has it, and says what to do; the other goes on', async () => {
    const path = join(scratch, 'shared.db');
    const first = await startPostern({ POSTERN_STORE: `sqlite:${path}` });
    onTestFinished(() => first.stop());
    const { code, said } = await outcome({ POSTERN_STORE: `sqlite:${path}` });
    expect(said).toEqual([
      `${path} is in use by another process; SQLite serves one process, use MongoDB for a fleet`,
    ]);
    expect(code).toBe(1);
    expect(await makeKey(first)).toMatchObject({ name: 'e2e' });
  });

  it('where it is free again once the other was killed', async () => {
    const settings = { POSTERN_STORE: `sqlite:${join(scratch, 'crashed.db')}` };
    const first = await startPostern(settings);
    const { id } = await makeKey(first);
    await first.kill('SIGKILL');
    await first.exited;
    const second = await startPostern(settings);
    onTestFinished(() => Promise.all([first.stop(), second.stop()]).then(() => {}));
    expect(await admin(second, 'GET', `/admin/api-keys/${id}`)).toMatchObject({
      data: { id, state: 'active' },
    });
  });

  it('where its folder cannot be made, is a file, or the file is a folder or no database', async () => {
    await mkdir(join(scratch, 'folder'));
    await writeFile(
      join(scratch, 'text'),
      'not a database, and long enough to see that it is none'.repeat(20),
    );
    for (const [path, why] of [
      // Not even root may write there.
      ['/sys/postern/keys.db', /could not be opened: (EPERM|EROFS|EACCES)/],
      [join(scratch, 'text', 'keys.db'), /could not be opened: (ENOTDIR|EEXIST)/],
      [join(scratch, 'folder'), /could not be opened: EISDIR/],
      [join(scratch, 'text'), /is not a SQLite database, or is damaged/],
    ] as const) {
      const { code, said } = await outcome({ POSTERN_STORE: `sqlite:${path}` });
      expect(said).toHaveLength(1);
      expect(said[0]?.startsWith(`${path} `)).toBe(true);
      expect(said[0]).toMatch(why);
      expect(code).toBe(1);
    }
  });
});

describe('Unix sockets', () => {
  it('serve all three listeners, to every user, also after a crash left them behind', async () => {
    const sockets = ['check', 'admin', 'http'].map((name) => join(scratch, `${name}.sock`));
    const [checkSocket = '', adminSocket = '', httpSocket = ''] = sockets;
    const settings = {
      POSTERN_CHECK_LISTEN: `unix:${checkSocket}`,
      POSTERN_ADMIN_LISTEN: `unix:${adminSocket}`,
      POSTERN_HTTP_LISTEN: `unix:${httpSocket}`,
    };
    for (const end of ['SIGKILL', 'SIGTERM'] as const) {
      const postern = await launch(settings);
      await until(postern.log, () => postern.log().includes('"msg":"ready"'));
      expect(await sendCheck(`unix:${checkSocket}`, checkRequest({}))).toMatchObject({ reason: 'missing' });
      expect(await health(`unix:${adminSocket}`)).toBe('SERVING');
      expect(await statusOver(httpSocket, '/readyz')).toBe(200);
      await postern.kill(end);
      await postern.exited;
    }
  });

  it('that another Postern listens on are not taken from it', async () => {
    const settings = {
      POSTERN_CHECK_LISTEN: `unix:${join(scratch, 'check2.sock')}`,
      POSTERN_ADMIN_LISTEN: `unix:${join(scratch, 'admin2.sock')}`,
      POSTERN_HTTP_LISTEN: `unix:${join(scratch, 'http2.sock')}`,
    };
    const first = await launch(settings);
    await until(first.log, () => first.log().includes('"msg":"ready"'));
    for (const [variable, address] of Object.entries(settings)) {
      const { code, said } = await outcome({ [variable]: address });
      expect(said).toEqual([
        expect.stringMatching(`^[a-z]+.listen: ${address} is taken: another process listens there$`),
      ]);
      expect(code).toBe(1);
    }
  });

  it('in a folder that is not there end the start with 1 and a line that names them', async () => {
    const path = join(scratch, 'no', 'such', 'x.sock');
    for (const [variable, setting] of [
      ['POSTERN_CHECK_LISTEN', 'check.listen'],
      ['POSTERN_HTTP_LISTEN', 'http.listen'],
    ] as const) {
      const { code, said } = await outcome({ [variable]: `unix:${path}` });
      expect(said).toHaveLength(1);
      expect(said[0]).toMatch(new RegExp(`^${setting}: unix:${path} (cannot|may not) be opened`));
      expect(code).toBe(1);
    }
  });

  it('do not replace a file that is none', async () => {
    const path = join(scratch, 'precious.txt');
    await writeFile(path, 'precious');
    const { code, said } = await outcome({ POSTERN_CHECK_LISTEN: `unix:${path}` });
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(`check.listen: unix:${path} is taken`);
    expect(code).toBe(1);
  });
});

it('a listener that the network can reach is warned of, since it has no TLS', async () => {
  const port = await freePort();
  const postern = await launch({ POSTERN_HTTP_LISTEN: `0.0.0.0:${port}` });
  await until(postern.log, () => postern.log().includes('"msg":"ready"'));
  const warnings = postern
    .log()
    .split('\n')
    .filter((line) => line.includes('"level":40'));
  expect(warnings.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({
      setting: 'http.listen',
      msg: `0.0.0.0:${port} is open to the network without TLS`,
    }),
  ]);
});

async function launch(settings: Readonly<Record<string, string>>): Promise<Running> {
  const folder = await mkdtemp(join(scratch, 'run-'));
  const child = await launchPostern(settings, folder);
  onTestFinished(() => child.stop());
  return child;
}

/** The exit code of a start that fails, what it said to the operator, and all that it wrote. */
async function outcome(settings: Readonly<Record<string, string>>) {
  let log = '';
  const write = (text: string) => {
    log += text;
  };
  const environment = {
    POSTERN_CHECK_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_HTTP_LISTEN: '127.0.0.1:0',
    POSTERN_STORE: 'sqlite::memory:',
    POSTERN_ADMIN_KEY: adminKey,
    ...settings,
  };
  const process = { environment, stdout: { write }, stderr: { write }, onStop: () => {}, onReload: () => {} };
  return { code: await serve({ config: undefined, set: {} }, process), log, said: said(log) };
}

/** What is written for the operator, and not for what collects logs. */
function said(log: string): string[] {
  const lines = log.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  return lines.map((line) => line.replace(/^postern: /, ''));
}

function statusOver(socketPath: string, path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request({ socketPath, path, agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode ?? 0);
  })
    .on('error', reject)
    .end();
  return promise;
}

it('holds no more memory than that when it has started', async () => {
  // The first start from sources takes the types out of them, which later ones find done.
  await (await startPostern({})).stop();
  const service = await startPostern({
    ...withoutCompileCache,
    POSTERN_STORE: `sqlite:${join(scratch, 'small.db')}`,
  });
  onTestFinished(() => service.stop());

  const status = await readFile(`/proc/${service.pid}/status`, 'utf8');
  const residentMiB = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) / 1_024;

  // 132 were measured, 120 of the compiled package.
  expect(residentMiB).toBeGreaterThan(50);
  expect(residentMiB).toBeLessThan(160);
});
