import { isIP } from 'node:net';
import { unescapeText, valuesAt } from '../../check/places.ts';
import type { AccessRequest } from '../../check/request.ts';
import { maskOf, recognise, type Scheme } from '../../schemes/scheme.ts';
import { createSecretFinder, type HoldsSecret } from '../../schemes/written-secret.ts';
import type { RequestRow } from '../../store/usage/request-log.ts';

/** What a request asked for, as it may be written down. */
export type Shown = Pick<RequestRow, 'method' | 'host' | 'path' | 'address'>;

const pathMax = 1_024;
const methodForm = /^[A-Za-z][A-Za-z_-]{0,31}$/;
const hostForm = /^[a-z0-9._:[\]-]{1,255}$/;
/** A key without a prefix is told from other words by standing where a credential does; shorter ones are words. */
const wordMin = 8;
/** Of a request that could not be read, or is counted with others. */
export const noTarget: Shown = { method: null, host: null, path: null, address: null };

/** What of a request may be written down: no query, no key, and of what a client chose only what it is taken for. */
export function createShowRequest(): (request: AccessRequest | null, schemes: readonly Scheme[]) => Shown {
  const finders = new WeakMap<readonly Scheme[], HoldsSecret>();

  return (request, schemes) => {
    if (request === null) return noTarget;
    const holds = finders.get(schemes) ?? createSecretFinder(schemes);
    finders.set(schemes, holds);
    const method = methodForm.test(request.method) && !holds(request.method) ? request.method : null;
    const host = request.host.toLowerCase();
    const address = request.address ?? '';
    return {
      method,
      host: hostForm.test(host) && !holds(request.host) ? host : null,
      path: shownPath(barePath(request.path), { request, schemes, holds }),
      address: isIP(address) !== 0 && !address.includes('%') ? address : null,
    };
  };
}

/** A path without its query. */
export function barePath(path: string): string {
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (code === 0x3f || code === 0x23) return path.slice(0, at);
  }
  return path;
}

interface Surroundings {
  readonly request: AccessRequest;
  readonly schemes: readonly Scheme[];
  readonly holds: HoldsSecret;
}

function shownPath(bare: string, surroundings: Surroundings): string {
  // What is cut off at the end may be the rest of a key: a segment is shown whole or not.
  const isLong = bare.length > pathMax;
  const kept = isLong ? bare.slice(0, Math.max(1, bare.lastIndexOf('/', pathMax))) : bare;
  const presented = presentedIn(surroundings);
  const segments = kept.split('/').map((segment) => shownSegment(segment, presented, surroundings));
  const path = segments.join('/').toWellFormed();
  const printable = path.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, encodeURIComponent);
  return isLong ? `${printable}/…` : printable;
}

/** What stands where schemes look for a credential. */
function presentedIn({ request, schemes }: Surroundings): string[] {
  return schemes.flatMap(({ places }) => places.flatMap((place) => valuesAt(place, request)));
}

function shownSegment(
  segment: string,
  presented: readonly string[],
  { schemes, holds }: Pick<Surroundings, 'schemes' | 'holds'>,
): string {
  if (segment.length < wordMin) return segment;
  const text = unescapeText(segment);
  const isPresented = presented.some((value) => value === text || value.endsWith(` ${text}`));
  for (const scheme of schemes) {
    const prefix = recognise(scheme, text);
    if (prefix !== null && (isPresented || prefix.text !== ''))
      return `${maskOf(scheme, text, prefix).prefix}…`;
  }
  return isPresented ||
    holds(text) ||
    presented.some((value) => value.length >= wordMin && text.includes(value))
    ? '…'
    : segment;
}
