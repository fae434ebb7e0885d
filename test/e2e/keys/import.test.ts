import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { start } from '../../real/child.ts';
import { freshDatabase } from '../../real/mongod.ts';
import { adminKey, type Postern, startPostern } from '../../real/postern.ts';
import { until } from '../../real/until.ts';
import { checkRequest, sendCheck } from '../check-client.ts';
import { makeKey } from '../stack.ts';
import { unknownKey } from '../unknown-key.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-import-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const stores = {
  SQLite: () => `sqlite:${join(folder, 'store', 'postern.db')}`,
  MongoDB: () => freshDatabase(inject('mongoUri')).uri,
};

describe.each(Object.keys(stores) as (keyof typeof stores)[])(
  'an import by the command line, on %s',
  (name) => {
    it('goes on after it was killed, while Checks are answered, and lets in every key but the bad ones', async () => {
      const postern = await startPostern({ POSTERN_STORE: stores[name]() });
      onTestFinished(() => postern.stop());
      const { key } = await makeKey(postern);
      const secrets = Array.from({ length: 800 }, () => unknownKey());
      const rows = secrets.map((secret, at) => `${at % 200 === 7 ? `${secret}x` : secret},key ${at}`);
      const csv = join(folder, `${name}.csv`);
      await writeFile(csv, ['secret,name', ...rows].join('\n'));
      const state = join(folder, `${name}.state`);
      const argv = ['import', csv, '--state', state, '--batch', '40'];

      const line = await startLine(postern);
      // Of some twenty batches.
      line.answersMax = 8;
      const killed = await launch(line, argv);
      await until('some rows are done', async () => (await doneRows(state)) > 0);
      await killed.stop();
      const done = await doneRows(state);
      expect(done).toBeLessThan(rows.length);

      line.answersMax = Number.POSITIVE_INFINITY;
      const again = await launch(line, argv);
      const answers = new Set<number>();
      await until('it has ended', async () => {
        answers.add(await ask(postern, key));
        return again.hasExited();
      });
      expect(answers).toEqual(new Set([0]));
      expect(await again.exited).toBe(1);
      expect(again.log()).toContain(`${done.toLocaleString('en-US')} rows are done by an earlier run`);
      const [, imported, duplicates, failed] =
        /imported (\d+), duplicates (\d+), failed (\d+) of 800 rows/.exec(again.log()) ?? [];
      expect(Number(failed)).toBe(4);
      // What the killed run had sent last is there without having been counted.
      expect(Number(imported) + Number(duplicates)).toBe(796);
      for (const at of [0, done - 1, done, 799]) {
        if (at % 200 !== 7) expect([at, await ask(postern, secrets[at] ?? '')]).toEqual([at, 0]);
      }

      const last = await launch(postern, ['import', csv, '--json']);
      expect(await last.exited).toBe(1);
      const [json] = /\{[^{}]*\}/.exec(last.log()) ?? [];
      expect(JSON.parse(json ?? '')).toMatchObject({ imported: 0, duplicates: 796, failed: 4 });
      expect(await leaked([again.log(), last.log(), postern.log()], secrets)).toEqual([]);
    });
  },
);

/** Hands calls on to the service, and so many answers back: what else it is asked, it does in silence. */
async function startLine(postern: Postern): Promise<{ readonly url: string; answersMax: number }> {
  const { hostname, port } = new URL(postern.url);
  const line = { url: '', answersMax: 0 };
  let answers = 0;
  const server = createServer((caller) => {
    const service = connect(Number(port), hostname);
    caller.on('error', () => {}).on('close', () => service.destroy());
    service.on('error', () => {}).on('close', () => caller.destroy());
    caller.pipe(service);
    service.on('data', (bytes) => {
      answers += bytes.toString('latin1').split(/^HTTP\/1\.1 /m).length - 1;
      if (answers <= line.answersMax) caller.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return Object.assign(line, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

/** Secrets that stand in a text, or in a file of the store, where it has files. */
async function leaked(texts: readonly string[], secrets: readonly string[]): Promise<string[]> {
  const store = join(folder, 'store');
  const entries = await readdir(store, { withFileTypes: true }).catch(() => []);
  // A socket for backups is there too.
  const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  const files = await Promise.all(names.map((file) => readFile(join(store, file), 'latin1')));
  // The first characters are shown.
  const pieces = new Set(secrets.map((secret) => secret.slice(13, 13 + pieceLength)));
  return [...texts, ...files].flatMap((text) => piecesOf(text).filter((piece) => pieces.has(piece)));
}

const pieceLength = 27;

/** All that a text has of such a length and of the characters of keys: looking for each of many keys takes minutes. */
function piecesOf(text: string): string[] {
  const runs = text.match(/[0-9A-Za-z]{27,}/g) ?? [];
  return runs.flatMap((run) =>
    Array.from({ length: run.length - pieceLength + 1 }, (_, at) => run.slice(at, at + pieceLength)),
  );
}

async function doneRows(state: string): Promise<number> {
  const text = await readFile(state, 'utf8').catch(() => '{"rows":0}');
  return JSON.parse(text).rows;
}

async function ask({ check }: Postern, key: string): Promise<number> {
  const request = checkRequest({ authorization: `Bearer ${key}` });
  return (await sendCheck(`${check.host}:${check.port}`, request)).code;
}

async function launch({ url }: Pick<Postern, 'url'>, argv: readonly string[]) {
  const bin = fileURLToPath(new URL('../../../bin/postern.js', import.meta.url));
  const environment = { PATH: process.env.PATH, POSTERN_ADDRESS: url, POSTERN_ADMIN_KEY: adminKey };
  const child = await start({ path: process.execPath }, [bin, ...argv], folder, environment);
  onTestFinished(() => child.stop());
  return child;
}
