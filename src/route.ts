import type { Scheme } from './scheme.ts';

/** What a route asks for. */
export interface Route {
  readonly isPublic: boolean;
  /** The schemes whose keys are let in, in the order of the configuration or of the route. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly environment: string;
  readonly permissions: readonly string[];
}

export interface RouteDefaults {
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly environment: string;
}

/**
 * Reads a route from Envoy's `context_extensions`: `scheme` and `permissions` hold one name or several with
 * commas between. A scheme that is not configured is left out; if none is left, no key can pass, and the
 * first configured scheme says so.
 */
export function readRoute(context: ReadonlyMap<string, string>, defaults: RouteDefaults): Route {
  const named = names(context.get('scheme'));
  return {
    isPublic: context.get('public') === 'true',
    schemes: named.length === 0 ? defaults.schemes : pick(defaults.schemes, named),
    environment: context.get('environment') || defaults.environment,
    permissions: names(context.get('permissions')),
  };
}

function pick(configured: readonly [Scheme, ...Scheme[]], wanted: readonly string[]): readonly [Scheme, ...Scheme[]] {
  const [first, ...rest] = wanted.flatMap((name) => configured.find((scheme) => scheme.name === name) ?? []);
  return first === undefined ? [nobody(configured[0])] : [first, ...rest];
}

/** A scheme's places and words, with no form that a key could have. */
function nobody(scheme: Scheme): Scheme {
  return { ...scheme, prefixes: [] };
}

function names(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
