/**
 * Room `net/`: Addresses and listeners. Here: IP addresses and CIDR, listen addresses, TLS files, names in
 * certificates, RPC methods apart from what carries them. Not here: any protocol.
 */

/** Where a listener listens. */
export type Listen =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Reads `host:port`, `[ipv6]:port` or `unix:/path`; null when it is none of them. Port 0 takes a free one. */
export function parseListen(text: string): Listen | null {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path.startsWith('/') ? { kind: 'unix', path } : null;
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? null : { kind: 'tcp', host, port };
}

export function formatListen(listen: Listen): string {
  if (listen.kind === 'unix') return `unix:${listen.path}`;
  return listen.host.includes(':') ? `[${listen.host}]:${listen.port}` : `${listen.host}:${listen.port}`;
}

/** Whether only this machine can reach it. */
export function isLoopback(listen: Listen): boolean {
  if (listen.kind === 'unix') return true;
  return listen.host === 'localhost' || listen.host === '::1' || /^127\./.test(listen.host);
}

/** A listener could not be opened, for a reason that the operator can mend. */
export class ListenError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ListenError';
  }
}

/** Says in the operator's words what the system's error means. */
export function whyNotOpened(listen: Listen, error: string): string {
  const address = formatListen(listen);
  if (error.includes('EADDRINUSE')) return `${address} is taken: another process listens there`;
  // For a Unix socket this is also what Node makes of a folder that does not exist.
  if (error.includes('EACCES') && listen.kind === 'unix') {
    return `${address} may not be opened: its folder does not exist, or permission was denied`;
  }
  if (error.includes('EACCES')) return `${address} may not be opened: permission denied`;
  if (error.includes('EADDRNOTAVAIL')) return `${address} is not an address of this machine`;
  return `${address} cannot be opened: ${error}`;
}
