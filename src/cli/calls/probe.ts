import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** What speaks at a port: HTTP/1, HTTP/2 (as gRPC does), both over TLS too, something else; null for nothing at all. */
export type Speaker = 'http' | 'http2' | 'tls' | 'tls-http2' | 'other' | null;

const probeMsMax = 2_000;

/** The preface of a connection of HTTP/2 (RFC 9113, section 3.4) and an empty SETTINGS frame. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
const settingsFrame = 4;
/** The first byte of an alert (RFC 8446, section 5.1). */
const tlsAlert = 21;

/** Finds out what answers where a request got no answer. Nothing secret is sent. Never rejects. */
export async function probe(url: URL): Promise<Speaker> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const plain = speakerOf(await firstBytes(connectPlain({ host, port }), preface));
  if (plain !== null && plain !== 'other') return plain;
  const servername = /^[0-9.]+$|:/.test(host) ? undefined : host;
  const secure = connectTls({
    ...{ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] },
    ...(servername && { servername }),
  });
  const protocol = await settled(secure, (settle: (protocol: string) => void) =>
    secure.once('secureConnect', () => settle(secure.alpnProtocol || 'none')),
  );
  if (protocol === null) return plain;
  return protocol === 'h2' ? 'tls-http2' : 'tls';
}

function speakerOf(bytes: Buffer | null): Speaker {
  if (bytes === null || bytes.length === 0) return null;
  if (bytes.subarray(0, 5).toString('latin1') === 'HTTP/') return 'http';
  if (bytes[0] === tlsAlert && bytes[1] === 3) return 'tls';
  return bytes[0] === 0 && bytes[3] === settingsFrame ? 'http2' : 'other';
}

function firstBytes(socket: Socket, sent: Buffer): Promise<Buffer | null> {
  return settled(socket, (settle) => {
    socket.once('connect', () => socket.write(sent));
    socket.once('data', settle);
  });
}

/** What it is settled with; null when the socket fails, ends or takes too long before. */
async function settled<T>(socket: Socket, listen: (settle: (value: T) => void) => void): Promise<T | null> {
  const { promise, resolve } = Promise.withResolvers<T | null>();
  const timer = setTimeout(() => resolve(null), probeMsMax);
  for (const event of ['error', 'close']) socket.once(event, () => resolve(null));
  listen(resolve);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
