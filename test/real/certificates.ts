import 'reflect-metadata';
import { type webcrypto, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BasicConstraintsExtension,
  type JsonGeneralName,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { onTestFinished } from 'vitest';

/** A certificate authority of one test's own, and the files of certificates that it signs. */
export interface Authority {
  /** The path of its certificate. */
  readonly cert: string;
  /** Writes a certificate and its key, PEM each; the names are those of `subjectAltName`. */
  issue(names: readonly JsonGeneralName[], validity?: Validity): Promise<CertificateFiles>;
}

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Validity {
  /** Days from now; negative for one that has expired. */
  readonly days?: number;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;

/** Its files are removed when the test has finished, or at what else is given. */
export async function createAuthority(
  atEnd: (remove: () => Promise<void>) => void = onTestFinished,
): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-tls-'));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const keys = await newKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    ...{ name: 'CN=Test authority', keys, signingAlgorithm: algorithm, ...validFor(30) },
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  let issued = 0;
  const cert = join(folder, 'ca.pem');
  await writeFile(cert, root.toString('pem'));

  return {
    cert,
    async issue(names, { days = 30 } = {}) {
      const own = await newKeys();
      const certificate = await X509CertificateGenerator.create({
        ...{ subject: 'CN=Test', issuer: root.subject, serialNumber: String(++issued).padStart(2, '0') },
        ...{ publicKey: own.publicKey, signingKey: keys.privateKey, signingAlgorithm: algorithm },
        ...validFor(days),
        extensions: [new SubjectAlternativeNameExtension([...names])],
      });
      const files = { cert: join(folder, `${issued}.pem`), key: join(folder, `${issued}.key`) };
      const pkcs8 = await crypto.subtle.exportKey('pkcs8', own.privateKey);
      await writeFile(files.cert, certificate.toString('pem'));
      await writeFile(files.key, PemConverter.encode(pkcs8, 'PRIVATE KEY'));
      return files;
    },
  };
}

/** When the certificate in this PEM ends, Unix milliseconds. */
export function endOf(pem: string | Buffer): number {
  return Date.parse(new X509Certificate(pem).validTo);
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function validFor(days: number) {
  const now = Date.now();
  return { notBefore: new Date(now - 60 * dayMs), notAfter: new Date(now + days * dayMs) };
}
