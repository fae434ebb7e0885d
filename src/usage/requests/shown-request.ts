import { isIP } from 'node:net';
import { unescapeText, valuesAt } from '../../check/places.ts';
import type { AccessRequest } from '../../check/request.ts';
import { maskOf, type Place, recognise, type Scheme } from '../../schemes/scheme.ts';
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
  const known = new WeakMap<readonly Scheme[], LookedFor>();

  return (request, schemes) => {
    if (request === null) return noTarget;
    const lookedFor = known.get(schemes) ?? lookedForBy(schemes);
    known.set(schemes, lookedFor);
    const { holds } = lookedFor;
    const method = methodForm.test(request.method) && !holds(request.method) ? request.method : null;
    const host = request.host.toLowerCase();
    const address = request.address ?? '';
    return {
      method,
      host: hostForm.test(host) && !holds(request.host) ? host : null,
      path: shownPath(barePath(request.path), request, lookedFor),
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

interface LookedFor {
  readonly schemes: readonly Scheme[];
  /** Where credentials of any of them may stand, each once: most schemes look in the same. */
  readonly places: readonly Place[];
  readonly holds: HoldsSecret;
}

function lookedForBy(schemes: readonly Scheme[]): LookedFor {
  const places = new Map(
    schemes.flatMap((scheme) => scheme.places.map((place) => [`${place.kind} ${place.name}`, place])),
  );
  return { schemes, places: [...places.values()], holds: createSecretFinder(schemes) };
}

function shownPath(bare: string, request: AccessRequest, lookedFor: LookedFor): string {
  // What is cut off at the end may be the rest of a key: a segment is shown whole or not.
  const isLong = bare.length > pathMax;
  const kept = isLong ? bare.slice(0, Math.max(1, bare.lastIndexOf('/', pathMax))) : bare;
  // What stands where schemes look for a credential.
  const presented = lookedFor.places.flatMap((place) => valuesAt(place, request));
  const segments = kept.split('/').map((segment) => shownSegment(segment, presented, lookedFor));
  const path = segments.join('/').toWellFormed();
  const printable = path.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, encodeURIComponent);
  return isLong ? `${printable}/…` : printable;
}

function shownSegment(segment: string, presented: readonly string[], { schemes, holds }: LookedFor): string {
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
