import { once } from 'node:events';
import { link, lstat, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createH2Listener } from '../../src/h2/listener.ts';
import { type Listen, ListenError } from '../../src/net/listen.ts';
import { call, message, RawClient } from './raw-client.ts';
import { createTestMethods } from './setting.ts';

function create() {
  const listener = createH2Listener(createTestMethods().methods);
  onTestFinished(() => listener.close(0));
  return listener;
}

async function isServed(listen: Listen): Promise<boolean> {
  const client = await RawClient.connect(listen);
  client.send(call(1, 'hello'));
  const { data } = await client.outcome(1);
  client.close();
  return data.equals(message('hello'));
}

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-h2-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

it('takes a free port, and says which', async () => {
  const listen = await create().listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });

  expect(listen).toMatchObject({ kind: 'tcp', host: '127.0.0.1', port: expect.any(Number) });
  expect(await isServed(listen)).toBe(true);
});

it('listens on every address that a name stands for', async () => {
  const listen = await create().listen({ kind: 'tcp', host: 'localhost', port: 0 });

  expect(await isServed({ ...listen, host: '127.0.0.1' } as Listen)).toBe(true);
});

it('shares a port that both sides may share, and no other', async () => {
  const create = (reusePort: boolean) => {
    const listener = createH2Listener(createTestMethods().methods, { reusePort });
    onTestFinished(() => listener.close(0));
    return listener;
  };
  const [first, second] = [create(true), create(true)];
  const listen = await first.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });

  expect(await second.listen(listen)).toEqual(listen);
  await expect(create(false).listen(listen)).rejects.toThrow(ListenError);
  await first.close(0);
  expect(await isServed(listen)).toBe(true);
});

it('says why it cannot listen', async () => {
  const taken = await create().listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  const refused = [
    taken,
    { kind: 'tcp', host: '203.0.113.9', port: 0 },
    { kind: 'unix', path: '/no/such/folder/a' },
  ] as const;
  const errors = await Promise.all(
    refused.map((listen) =>
      create()
        .listen(listen)
        .catch((error) => error),
    ),
  );

  expect(errors.every((error) => error instanceof ListenError)).toBe(true);
  expect(errors.map(({ message: text }) => text)).toEqual([
    expect.stringContaining('is taken: another process listens there'),
    '203.0.113.9:0 is not an address of this machine',
    expect.stringMatching(/^unix:\/no\/such\/folder\/a (cannot|may not) be opened/),
  ]);
});

it('serves every user on a Unix socket, also after a crash left it behind, and takes it along', async () => {
  const path = join(await scratch(), 'check.sock');
  const listen: Listen = { kind: 'unix', path };
  const other = createServer().listen(path);
  await once(other, 'listening');
  await expect(create().listen(listen)).rejects.toThrow('is taken');
  // A second name of it is what a crash leaves: a socket that nobody listens on.
  await link(path, `${path}.left`);
  other.close();
  await once(other, 'close');
  await rename(`${path}.left`, path);
  const listener = create();
  await listener.listen(listen);

  expect((await lstat(path)).mode & 0o777).toBe(0o666);
  expect(await isServed(listen)).toBe(true);
  await listener.close(0);
  await expect(lstat(path)).rejects.toThrow('ENOENT');
});

it('leaves alone a file that is not a socket', async () => {
  const path = join(await scratch(), 'file');
  await writeFile(path, 'kept');

  await expect(create().listen({ kind: 'unix', path })).rejects.toThrow('is taken');
  expect((await lstat(path)).size).toBe(4);
});
