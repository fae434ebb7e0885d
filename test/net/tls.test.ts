import { copyFile, writeFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import { certificateNames } from '../../src/net/certificate-names.ts';
import { createTlsSource, readTls, type TlsFiles } from '../../src/net/tls.ts';
import { createAuthority } from '../real/certificates.ts';

const localhost = [{ type: 'dns', value: 'localhost' }] as const;

async function files(): Promise<TlsFiles> {
  const authority = await createAuthority();
  return { ...(await authority.issue(localhost)), clientCa: authority.cert };
}

describe('readTls', () => {
  it('gives what node:tls listens with, and until when it is valid', async () => {
    const material = readTls(await files());
    expect(material.ca?.toString()).toMatch(/^-----BEGIN CERTIFICATE-----/);
    expect(material.key.toString()).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(material.validTo - Date.now()).toBeGreaterThan(29 * 86_400_000);
    expect(readTls({ ...(await files()), clientCa: null })).not.toHaveProperty('ca');
  });

  it.each(['cert', 'key', 'clientCa'] as const)(
    'names the file when %s is missing or rubbish, and quotes none of it',
    async (name) => {
      const given = await files();
      const path = String(given[name]);
      await writeFile(path, 'precious rubbish');
      expect(() => readTls(given)).toThrow(path);
      expect(() => readTls(given)).not.toThrow(/precious/);
      expect(() => readTls({ ...given, [name]: `${path}.away` })).toThrow(`${path}.away cannot be read`);
    },
  );

  it('refuses the key of another certificate', async () => {
    const [one, other] = [await files(), await files()];
    expect(() => readTls({ ...one, key: other.key })).toThrow(
      `${other.key} is not the key of the certificate in ${one.cert}`,
    );
  });
});

describe('a source of TLS', () => {
  async function source() {
    const given = await files();
    const [onReloaded, onRejected, subscriber] = [vi.fn(), vi.fn(), vi.fn()];
    const tls = createTlsSource(given, { onReloaded, onRejected });
    tls.subscribe(subscriber);
    return { given, tls, onReloaded, onRejected, subscriber };
  }

  it('tells of files that changed, once, and of none that did not', async () => {
    const { given, tls, onReloaded, subscriber } = await source();
    tls.reload();
    expect(subscriber).not.toHaveBeenCalled();
    const renewed = await files();
    await copyFile(renewed.cert, given.cert);
    await copyFile(renewed.key, given.key);
    tls.reload();
    tls.reload();
    expect(subscriber).toHaveBeenCalledExactlyOnceWith(tls.material);
    expect(onReloaded).toHaveBeenCalledOnce();
    expect(tls.material.cert).toEqual(readTls(given).cert);
  });

  it('keeps what it has while the new files are wrong, says so once, and takes them once they are right', async () => {
    const { given, tls, onRejected, subscriber } = await source();
    const { cert } = tls.material;
    const renewed = await files();
    await copyFile(renewed.cert, given.cert);
    tls.reload();
    tls.reload();
    expect(tls.material.cert).toBe(cert);
    expect(onRejected).toHaveBeenCalledOnce();
    expect(subscriber).not.toHaveBeenCalled();
    await copyFile(renewed.key, given.key);
    tls.reload();
    expect(subscriber).toHaveBeenCalledOnce();
  });

  it('reads the files by itself at intervals, until it is stopped', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const { given, tls, onRejected } = await source();
      await writeFile(given.cert, 'rubbish');
      tls.start();
      vi.advanceTimersByTime(9_999);
      expect(onRejected).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(onRejected).toHaveBeenCalledOnce();
      tls.stop();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('certificateNames', () => {
  it.each([
    ['URI:spiffe://cluster.local/ns/ops/sa/deploy', ['URI:spiffe://cluster.local/ns/ops/sa/deploy']],
    ['DNS:a.example, DNS:b.example, IP Address:10.0.0.1', ['DNS:a.example', 'DNS:b.example']],
    ['DNS:"a.example, URI:spiffe://cluster.local/ns/ops/sa/deploy"', []],
    ['DNS:a.example, DNS:"b\\"c"', []],
    ['', []],
    [undefined, []],
  ])('of %j are %j', (text, names) => {
    expect(certificateNames(text)).toEqual(names);
  });
});
