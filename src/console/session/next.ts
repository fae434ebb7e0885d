import { path } from '../markup/markup.ts';

const lengthMax = 2_000;
/** What leads nowhere, or out. */
const others = /^\/console\/(?:oidc|portal|sign-out|resume|assets|addresses)(?:\/|$)/;

/** The page of the console that a link named, to go on to after the sign-in; empty for none, and for what is no page of it. */
export function nextIn(text: string | null): string {
  if (text === null || text.length > lengthMax || !text.startsWith('/console/')) return '';
  const url = URL.parse(text, 'http://console');
  if (url === null || url.origin !== 'http://console' || !url.pathname.startsWith('/console/')) return '';
  return others.test(url.pathname) ? '' : url.pathname + url.search;
}

/** Where to sign in, and go on to `next` then. */
export function signInPath(next: string, hasEnded: boolean): string {
  const query = { next: nextIn(next) };
  return path([], hasEnded ? { ended: 'yes', ...query } : query);
}
