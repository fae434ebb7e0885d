import type { IncomingHttpHeaders } from 'node:http';

/**
 * Whether a form was sent by a page of this console, by the browser's word: `Sec-Fetch-Site`, which every browser of
 * today sends over HTTPS and to localhost, else `Origin`. What sends neither is no browser.
 */
export function isFromHere({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  if (origin === undefined) return true;
  return URL.parse(origin)?.host === host;
}
