import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSqliteStore } from '../../../src/sqlite/store.ts';
import type { Finding } from '../../../src/store/diagnosis/finding.ts';
import { createAuthority } from '../../real/certificates.ts';
import { keyRecord } from '../../records.ts';
import { postern } from '../console.ts';

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'postern-doctor-'));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function doctor(environment: Record<string, string>, ...flags: string[]) {
  const { exitCode, stdout } = await postern(['doctor', '--no-service', '--json', ...flags], { environment });
  return { exitCode, findings: JSON.parse(stdout).findings as Finding[] };
}

/** With these settings in a file of their own. */
function settled(settings: object, ...flags: string[]) {
  const file = join(newFolder(), 'postern.yaml');
  writeFileSync(file, JSON.stringify(settings));
  return doctor({}, '--config', file, ...flags);
}

const brief = (findings: readonly Finding[]) => findings.map(({ level, code }) => `${level} ${code}`);

describe('doctor, of the settings', () => {
  it('finds nothing wrong with none at all, nor with the admin key of the caller', async () => {
    expect(await doctor({ POSTERN_ADMIN_KEY: 'short' })).toEqual({ exitCode: 0, findings: [] });
  });

  it('finds those that no replica starts with', async () => {
    const { exitCode, findings } = await settled({ stor: 'x', check: { listen: 7 } });
    expect(exitCode).toBe(1);
    expect(brief(findings)).toEqual(['error settings.wrong']);
    expect(findings[0]?.what).toMatch(/check\.listen: expected .* \(and 1 more\)\.$/);
    expect(findings[0]?.cure).toMatch(/^postern config check .*postern\.yaml tells/);
  });

  it('finds listeners that the network can reach without TLS', async () => {
    const { findings } = await settled({ check: { listen: '0.0.0.0:50051' }, http: { listen: '[::]:8080' } });
    expect(findings.map(({ code, where }) => `${code} ${where}`)).toEqual([
      'listen.cleartext check.listen',
      'listen.cleartext http.listen',
    ]);
  });

  it.each([
    [0o600, []],
    [0o640, []],
    [0o644, ['warning secret.readable']],
    [0o602, ['warning secret.readable']],
  ])('judges a file with a secret of mode %o', async (mode, finds) => {
    const path = join(newFolder(), 'peppers');
    writeFileSync(path, `one:${Buffer.alloc(32, 7).toString('base64')}\n`);
    chmodSync(path, mode);
    const { findings } = await doctor({ POSTERN_PEPPERS_FILE: path });
    expect(brief(findings)).toEqual(finds);
    for (const { where, cure } of findings)
      expect([where, cure]).toEqual([path, expect.stringContaining(path)]);
  });
});

describe('doctor, of TLS', () => {
  const dayMs = 86_400_000;
  const names = [{ type: 'dns', value: 'localhost' }] as const;
  const issued = async (days?: number) => {
    const authority = await createAuthority();
    const files = await authority.issue(names, days === undefined ? {} : { days });
    chmodSync(files.key, 0o600);
    return { authority, files };
  };

  it.each([
    [30, []],
    [13.5, ['warning tls.expires_soon']],
    [-1, ['error tls.expired']],
  ])('judges a certificate that ends in %d days', async (days, finds) => {
    const { files } = await issued(days);
    const { findings } = await settled({ check: { tls: files } });
    expect(brief(findings)).toEqual(finds);
    for (const { where } of findings) expect(where).toBe(`check.tls.cert ${files.cert}`);
  });

  it('finds one that is not valid yet, by the clock of this machine', async () => {
    const { files } = await issued();
    vi.useFakeTimers({ now: Date.now() - 90 * dayMs, toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    expect(brief((await settled({ http: { tls: files } })).findings)).toEqual(['error tls.not_yet']);
    const overHttp = { listen: '127.0.0.1:0', tls: files };
    const { findings } = await settled({ http_check: overHttp });
    expect(findings).toMatchObject([{ code: 'tls.not_yet', where: `http_check.tls.cert ${files.cert}` }]);
  });

  it('looks at each certificate of a chain and at the authority of clients', async () => {
    const [{ files, authority }, old] = [await issued(), await issued(3)];
    const chain = `${files.cert}.chain`;
    writeFileSync(chain, [files.cert, old.files.cert].map((path) => readFileSync(path, 'utf8')).join('\n'));
    const tls = { ...files, cert: chain, client_ca: old.files.cert };
    expect((await settled({ admin: { tls } })).findings.map(({ where }) => where)).toEqual([
      `admin.tls.cert ${chain}`,
      `admin.tls.client_ca ${old.files.cert}`,
    ]);
    expect((await settled({ admin: { tls: { ...files, client_ca: authority.cert } } })).findings).toEqual([]);
  });

  it('finds files that make no TLS, and a key that others may read', async () => {
    const [{ files }, other] = [await issued(), await issued()];
    chmodSync(other.files.key, 0o644);
    const wrong = await settled({ check: { tls: { cert: files.cert, key: other.files.key } } });
    expect(brief(wrong.findings)).toEqual(['warning secret.readable', 'error tls.unusable']);
    const missing = await settled({ check: { tls: { cert: '/missing.pem', key: files.key } } });
    expect(brief(missing.findings)).toEqual(['error tls.unusable']);
  });
});

describe('doctor, of a Unix socket', () => {
  const listening = async () => {
    const folder = join(newFolder(), 'run');
    mkdirSync(folder, { mode: 0o755 });
    const path = join(folder, 'check.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    chmodSync(path, 0o666);
    return { folder, path };
  };
  const found = async (path: string) =>
    brief((await settled({ check: { listen: `unix:${path}` } })).findings);

  it.each([
    ['as the service makes it', 0o666, 0o755, []],
    ['for a group', 0o660, 0o750, []],
    ['for its owner alone', 0o755, 0o755, ['warning socket.rights']],
    ['in a folder of its owner alone', 0o666, 0o700, ['warning socket.folder']],
    ['in a folder that all may change', 0o666, 0o777, ['error socket.folder_open']],
    ['in a folder like /tmp', 0o666, 0o1777, []],
  ])('judges one %s', async (_, mode, folderMode, finds) => {
    const { folder, path } = await listening();
    chmodSync(path, mode);
    chmodSync(folder, folderMode);
    expect(await found(path)).toEqual(finds);
  });

  it('finds that there is none, or something else', async () => {
    const path = join(newFolder(), 'check.sock');
    expect(await found(path)).toEqual(['warning socket.missing']);
    writeFileSync(path, '');
    expect(await found(path)).toEqual(['error socket.not_socket']);
  });
});

describe('doctor --deep', () => {
  const made = async () => {
    const path = join(newFolder(), 'postern.db');
    const store = createSqliteStore({ path, now: Date.now });
    await store.open();
    for (let made = 0; made < 50; made++) {
      const [id, digest] = [`key_${String(made).padStart(26, '0')}`, `digest-${made}`] as const;
      await store.insertKey(keyRecord({ id: id as never, digest: digest as never }), 1_000);
    }
    return { path, store };
  };
  const deep = async (path: string) => {
    const { exitCode, findings } = await doctor({ POSTERN_STORE: `sqlite:${path}` }, '--deep');
    return { exitCode, found: brief(findings) };
  };

  it('finds a database whole, damaged, in use, or not there', async () => {
    const { path, store } = await made();
    expect(await deep(path)).toEqual({ exitCode: 2, found: ['error database.in_use'] });
    await store.close();
    expect(await deep(path)).toEqual({ exitCode: 0, found: ['info database.whole'] });
    const damaged = `${path}.damaged`;
    copyFileSync(path, damaged);
    writeFileSync(damaged, Buffer.alloc(statSync(damaged).size - 8_192, 0xee), { flag: 'r+' });
    expect(await deep(damaged)).toEqual({ exitCode: 1, found: ['error database.damaged'] });
    const half = `${path}.half`;
    writeFileSync(half, readFileSync(path).fill(0x55, 8_192, 40_960));
    expect(await deep(half)).toEqual({ exitCode: 1, found: ['error database.damaged'] });
    expect(await deep(`${path}.missing`)).toEqual({ exitCode: 2, found: ['error database.unreadable'] });
  });

  it('is of no use without a SQLite file', async () => {
    expect((await doctor({ POSTERN_STORE: 'sqlite::memory:' }, '--deep')).findings).toMatchObject([
      { level: 'info', code: 'database.not_sqlite' },
    ]);
  });
});
