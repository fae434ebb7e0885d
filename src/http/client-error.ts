import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { wireErrorAnswer } from './status.ts';

/**
 * Answers what Node cannot read as a request, and closes the connection: 431 for headers past Node's 16 KiB,
 * 408 for a request that does not come to its end in time, 400 for all else.
 */
export function answerClientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) socket.write(clientErrorAnswer(error.code));
  socket.destroy(error);
}

function clientErrorAnswer(code: string | undefined): string {
  const { status, body } = wireErrorAnswer(statusOf(code));
  const text = JSON.stringify(body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Cache-Control: no-store',
    'X-Content-Type-Options: nosniff',
    'Connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}

function statusOf(code: string | undefined): 400 | 408 | 431 {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}
