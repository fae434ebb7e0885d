import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readTls, TlsError, type TlsFiles } from '../../net/tls.ts';
import { error, type Finding, warning } from '../../store/diagnosis/finding.ts';

const soonDays = 14;
const dayMs = 86_400_000;

/** What is wrong with the TLS files of a listener: their dates, each certificate of a chain for itself. */
export function certificateFindings(listener: string, files: TlsFiles, now: number): Finding[] {
  try {
    readTls(files);
  } catch (thrown) {
    if (!(thrown instanceof TlsError)) throw thrown;
    const what = `No replica starts with it, and one that runs keeps what it had: ${thrown.message}.`;
    return [
      error(
        'tls.unusable',
        what,
        'Put the right files there; they are read again within 10 s.',
        `${listener}.tls`,
      ),
    ];
  }
  const { cert, clientCa } = files;
  return [
    ...dates(cert, now, `${listener}.tls.cert ${cert}`),
    ...(clientCa === null ? [] : dates(clientCa, now, `${listener}.tls.client_ca ${clientCa}`)),
  ];
}

function dates(path: string, now: number, where: string): Finding[] {
  return certificatesIn(readFileSync(path, 'utf8')).flatMap((certificate) => judge(certificate, now, where));
}

function judge({ validFrom, validTo }: X509Certificate, now: number, where: string): Finding[] {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  const renew = 'Renew it: the files are read again within 10 s, with no restart.';
  const day = (ms: number) => new Date(ms).toISOString();
  if (now >= to)
    return [error('tls.expired', `The certificate expired at ${day(to)}: clients refuse it.`, renew, where)];
  if (now < from) {
    const cure = 'See that the clock of this machine is right, or wait.';
    return [
      error(
        'tls.not_yet',
        `The certificate is not valid before ${day(from)}: clients refuse it.`,
        cure,
        where,
      ),
    ];
  }
  const days = Math.floor((to - now) / dayMs);
  if (days >= soonDays) return [];
  return [
    warning('tls.expires_soon', `The certificate expires in ${days} days, at ${day(to)}.`, renew, where),
  ];
}

function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}
