import { describe, expect, it } from 'vitest';
import { example, refusal, type Values } from './chart.ts';

const BAD: [what: string, values: Values, why: string][] = [
  ['a value that does not exist', { replcas: 3 }, "additional properties 'replcas' not allowed"],
  [
    'a store that does not exist',
    { store: 'mysql' },
    "at '/store': value must be one of 'mongodb', 'sqlite'",
  ],
  ['fewer than no replicas', { replicas: -1 }, "at '/replicas': minimum: got -1, want 0"],
  ['replicas as text', { replicas: '3' }, "at '/replicas': got string, want integer"],
  [
    'a secret itself',
    { secrets: { store: 'mongodb://a/b' } },
    "at '/secrets/store': got string, want null or object",
  ],
  ['a Secret without a key', { secrets: { peppers: { name: 'a', key: '' } } }, "at '/secrets/peppers/key'"],
  ['a digest that is none', { image: { digest: 'latest' } }, "at '/image/digest'"],
  [
    'a listener on loopback',
    { listenHost: '127.0.0.1' },
    "at '/listenHost': value must be one of '0.0.0.0', '[::]'",
  ],
  ['client certificates for probes', { tls: { clientCa: ['http'] } }, "at '/tls/clientCa/0'"],
  ['a listener that does not exist', { tls: { listeners: ['metrics'] } }, "at '/tls/listeners/0'"],
  [
    'no time to end',
    { shutdown: { drainSeconds: 0 } },
    "at '/shutdown/drainSeconds': minimum: got 0, want 1",
  ],
  ['a size without a unit', { sqlite: { size: '10' } }, "at '/sqlite/size'"],
  [
    'a peer that matches everybody',
    { networkPolicy: { admin: { from: [{}] } } },
    "at '/networkPolicy/admin/from/0'",
  ],
  ['settings by environment', { extraEnv: [{ name: 'POSTERN_STORE', value: 'x' }] }, "at '/extraEnv/0/name'"],
  [
    'a setting that does not exist',
    { config: { stalenes_max: '3s' } },
    "at '/config': additional properties",
  ],
  [
    'a setting of another type',
    { config: { staleness_max: 3 } },
    "at '/config/staleness_max': got number, want string",
  ],
  ['a setting out of bounds', { config: { memory: { keys_max: 0 } } }, "at '/config/memory/keys_max'"],
  [
    'a setting of the chart',
    { config: { check: { listen: '[::]:1' } } },
    "at '/config/check': additional properties",
  ],
  ['the drain as a setting', { config: { drain_timeout: '1s' } }, "at '/config': additional properties"],
  [
    'SQLite for several',
    { store: 'sqlite' },
    'store: sqlite serves one process alone, and replicas is 3: set replicas to 1',
  ],
  [
    'SQLite that scales',
    { ...sqlite(), autoscaling: { enabled: true } },
    'leave autoscaling off, or set store to mongodb',
  ],
  ['SQLite as a sidecar', { ...sqlite(), socket: example('sidecar').socket }, 'set store to mongodb'],
  ['MongoDB without an address', { secrets: { store: null } }, 'store: mongodb needs secrets.store'],
  ['a socket for nobody', { socket: { enabled: true } }, 'socket.enabled needs socket.containers'],
  [
    'containers without a socket',
    { socket: { containers: [{ name: 'a' }] } },
    'of use only with socket.enabled',
  ],
  [
    'a certificate of nobody',
    { tls: { certManager: { enabled: true } } },
    'needs tls.certManager.issuerRef.name',
  ],
];

function sqlite(): Values {
  return { store: 'sqlite', replicas: 1 };
}

describe('the values of the chart', () => {
  it.each(BAD)('refuse %s, and say where', (_, values, why) => {
    expect(refusal(values)).toContain(why);
  });

  it.each(['everything', 'sqlite', 'tls', 'sidecar'])('take the example %s', (name) => {
    expect(refusal(example(name))).toBe('');
  });
});
