import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** The files that a listener speaks TLS with, PEM each. */
export interface TlsFiles {
  /** The certificate, then those between it and the root. */
  readonly cert: string;
  readonly key: string;
  /** With it, only clients with a certificate of one of these authorities get in; null for all. */
  readonly clientCa: string | null;
}

/** What the files hold, checked; the options of `node:tls` have the same names. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly minVersion: 'TLSv1.2';
  /** From when to when the certificate is valid, Unix milliseconds. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** Files that do not make TLS; the message names the file and what is wrong with it, and quotes nothing of it. */
export class TlsError extends Error {}

/** Reads and checks the files. Throws {@link TlsError}. */
export function readTls({ cert, key, clientCa }: TlsFiles, read = readFile): TlsMaterial {
  const [certText, keyText, caText] = [read(cert), read(key), clientCa === null ? null : read(clientCa)];
  const certificate = certificateOf(cert, certText);
  const isRight = attempt(key, 'is not a private key in PEM without a password', () =>
    certificate.checkPrivateKey(createPrivateKey(keyText)),
  );
  if (!isRight) throw new TlsError(`${key} is not the key of the certificate in ${cert}`);
  if (clientCa !== null && caText !== null) certificateOf(clientCa, caText);
  const material = { cert: certText, key: keyText, ...(caText !== null && { ca: caText }) };
  attempt(cert, 'cannot be used for TLS', () => createSecureContext(material));
  return {
    ...material,
    minVersion: 'TLSv1.2',
    validFrom: Date.parse(certificate.validFrom),
    validTo: Date.parse(certificate.validTo),
  };
}

function readFile(path: string): Buffer {
  return attempt(path, 'cannot be read', () => readFileSync(path));
}

function certificateOf(path: string, text: Buffer): X509Certificate {
  return attempt(path, 'is not a certificate in PEM', () => new X509Certificate(text));
}

function attempt<T>(path: string, otherwise: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TlsError) throw error;
    throw new TlsError(`${path} ${otherwise}`, { cause: error });
  }
}

/** TLS whose files may change while it is in use. */
export interface TlsSource {
  /** What holds now. */
  readonly material: TlsMaterial;
  /** Called with what holds from then on, each time that it changes. */
  subscribe(subscriber: (material: TlsMaterial) => void): void;
  /** Reads the files again; what held before holds on where they are wrong. */
  reload(): void;
  /** Reads them at intervals from now on. */
  start(): void;
  stop(): void;
}

export interface TlsSourceOptions {
  /** How often the files are read to see whether they changed. Default 10 s. */
  readonly everyMs?: number;
  readonly onReloaded: (material: TlsMaterial) => void;
  /** Told once of each new thing that is wrong. */
  readonly onRejected: (error: TlsError) => void;
  readonly read?: (path: string) => Buffer;
}

/** Throws {@link TlsError} where the files are wrong at first. */
export function createTlsSource(files: TlsFiles, options: TlsSourceOptions): TlsSource {
  const { everyMs = 10_000, onReloaded, onRejected, read } = options;
  let material = readTls(files, read);
  let rejected = '';
  const subscribers: ((material: TlsMaterial) => void)[] = [];
  let timer: NodeJS.Timeout | null = null;

  return {
    get material() {
      return material;
    },
    subscribe(subscriber) {
      subscribers.push(subscriber);
    },
    reload,
    start() {
      // Reading beats watching: a mounted Secret changes by a symbolic link two folders up.
      timer ??= setInterval(reload, everyMs).unref();
    },
    stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
    },
  };

  function reload(): void {
    try {
      const next = readTls(files, read);
      rejected = '';
      if (isSame(material, next)) return;
      material = next;
      for (const subscriber of subscribers) subscriber(next);
      onReloaded(next);
    } catch (error) {
      if (!(error instanceof TlsError)) throw error;
      if (error.message !== rejected) onRejected(error);
      rejected = error.message;
    }
  }
}

function isSame(one: TlsMaterial, other: TlsMaterial): boolean {
  const isSameCa = one.ca === undefined ? other.ca === undefined : other.ca?.equals(one.ca) === true;
  return isSameCa && one.cert.equals(other.cert) && one.key.equals(other.key);
}
