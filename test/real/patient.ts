/** Short times of the examples in `deploy/` and of what `postern init` prints, and what a busy machine needs instead. */
const times: readonly (readonly [shipped: RegExp, patient: string])[] = [
  // Envoy: a Check, each of its tries, and a connection to Postern.
  [/(?<=\btimeout: )0\.5s/g, '15s'],
  [/(?<=\bmax_interval: )0\.2s/g, '6s'],
  [/(?<=\bconnect_timeout: )(?:0\.15?|1)s/g, '5s'],
  // A Postern that stands still for so long is not gone.
  [/(?<=\bconnection_keepalive: \{ interval: 5s, timeout: )2s/g, '15s'],
  // nginx.
  [/(?<=\bproxy_connect_timeout )100ms/g, '5s'],
  [/(?<=\bproxy_read_timeout )500ms/g, '15s'],
  // HAProxy's Lua.
  [/(?<=\btimeout = )500\b/g, '15000'],
];

/**
 * A proxy's configuration with time for a Check on a machine that does much else: where a test is not about the
 * shipped times, they would fail it now and then.
 */
export function patient(configuration: string): string {
  return times.reduce((text, [shipped, long]) => text.replace(shipped, long), configuration);
}
