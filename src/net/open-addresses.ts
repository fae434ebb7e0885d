import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Listen } from './listen.ts';

/**
 * Opens every address that a host's name stands for, on the port of the first: `localhost` may be two. Resolves to
 * that port, rejects with the error of `open`.
 */
export async function openAll(
  { host, port }: Listen & { kind: 'tcp' },
  open: (at: { host: string; port: number }) => Promise<number>,
): Promise<number> {
  const found = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }];
  let opened = port;
  let isOpen = false;
  let missing: unknown;
  for (const address of new Set(found.map((one) => one.address))) {
    try {
      opened = await open({ host: address, port: opened });
      isOpen = true;
    } catch (error) {
      // A name may stand for an address that this machine has not.
      if (!/EADDRNOTAVAIL|EAFNOSUPPORT/.test((error as Error).message)) throw error;
      missing = error;
    }
  }
  if (!isOpen) throw missing;
  return opened;
}
