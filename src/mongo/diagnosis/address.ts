import { type Finding, info, warning } from '../../store/diagnosis/finding.ts';

/** Options that Postern sets by itself, whatever the address says, and what is well. Names are in lower case. */
const setAside: Readonly<Record<string, RegExp>> = {
  w: /^majority$/,
  j: /^true$/,
  journal: /^true$/,
  readpreference: /^primary$/i,
  readconcernlevel: /^majority$/,
  retrywrites: /^true$/,
};

const unverified = ['tlsinsecure', 'tlsallowinvalidcertificates', 'tlsallowinvalidhostnames', 'sslvalidate'];

/** What an operator should know of the address, of which nothing is quoted but the names of options. */
export function diagnoseAddress(uri: string): Finding[] {
  const options = [...new URLSearchParams(/\?(.*)$/s.exec(uri)?.[1] ?? '')].map(([name, value]) => ({
    name,
    key: name.toLowerCase(),
    value,
  }));
  const ignored = options.filter(
    ({ key, value }) => setAside[key] !== undefined && !setAside[key].test(value),
  );
  const loose = options.filter(
    ({ key, value }) => unverified.includes(key) && value === String(key !== 'sslvalidate'),
  );
  const isDirect = options.some(({ key, value }) => key === 'directconnection' && value === 'true');
  const isTls = options.some(({ key, value }) => (key === 'tls' || key === 'ssl') && value === 'true');
  return [
    ...ignored.map(({ name }) => optionIgnored(name)),
    ...loose.map(({ name }) => certificateUnverified(name)),
    ...(isDirect ? [direct] : []),
    ...(isTls || uri.startsWith('mongodb+srv:') || isLocal(uri) ? [] : [cleartext]),
  ];
}

/** Whether nothing leaves this machine: every host is loopback or a socket. */
export function isLocal(uri: string): boolean {
  const hosts = /^mongodb(?:\+srv)?:\/\/(?:[^/?]*@)?([^/?]+)/.exec(uri)?.[1]?.split(',') ?? [];
  return hosts.every((host) => /^(?:localhost|127\.[0-9.]+|\[::1\]|[^:]*\.sock)(?::[0-9]+)?$/i.test(host));
}

function optionIgnored(name: string): Finding {
  const what = `The address asks for weaker writes or reads by ${name}, which has no effect: a revocation would not be certain.`;
  return info(
    'store.option_ignored',
    what,
    `Take ${name} out of POSTERN_STORE, so that nobody relies on it.`,
  );
}

function certificateUnverified(name: string): Finding {
  const what = `By ${name} in the address MongoDB's certificate is not verified: whoever stands between may read and change keys.`;
  return warning('store.tls_unverified', what, `Name the authority by tlsCAFile in place of ${name}.`);
}

const direct = warning(
  'store.direct_connection',
  'By directConnection=true in the address one member alone is asked: when another becomes primary, no key can be changed, and soon none be answered for.',
  'Take it out of POSTERN_STORE, and name all members and the replica set: mongodb://a,b,c/postern?replicaSet=rs0.',
);

const cleartext = warning(
  'store.cleartext',
  'MongoDB is spoken to without TLS, over a network: digests and, with it, every right to change keys can be read and altered on the way.',
  'Add tls=true, and tlsCAFile where the authority is your own, to POSTERN_STORE.',
);
