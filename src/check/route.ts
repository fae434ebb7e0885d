import type { Scheme } from '../schemes/scheme.ts';
import { createFindCredential, type FindCredential } from './credential.ts';
import type { AccessRequest } from './request.ts';
import type { FindRule, Rule } from './rules.ts';

/** What a route asks for. */
export interface Route {
  readonly isPublic: boolean;
  /** The schemes whose keys are let in, in the order of the configuration or of the route. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly environment: string;
  /** All of these must be on the key. */
  readonly permissions: readonly string[];
  /** Units of rate limit, 0 or more. */
  readonly cost: number;
}

export interface RouteDefaults {
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly environment: string;
  readonly findRule: FindRule;
}

/** A route, and how its credential is found. */
export interface PreparedRoute {
  readonly route: Route;
  readonly findCredential: FindCredential;
}

/** Routes that are remembered: every context may meet every rule. */
const routesMax = 10_000;

/**
 * What a request's route asks for: by the most specific rule, and by Envoy's `context_extensions`, which
 * replace the rule's members one by one unless they are empty, while permissions add up. `scheme` and
 * `permissions` hold one name or several with commas between. A scheme that is not configured is left out; if
 * none is left, no key can pass, and the first configured scheme says so.
 *
 * A route is worked out once for each rule and each context that is the same object.
 */
export function createFindRoute(defaults: RouteDefaults): (request: AccessRequest) => PreparedRoute {
  let routes = new WeakMap<ReadonlyMap<string, string>, Map<Rule | null, PreparedRoute>>();
  let routesCount = 0;

  return (request) => {
    const { context } = request;
    const rule = defaults.findRule(request);
    const ofContext = routes.get(context);
    const known = ofContext?.get(rule);
    if (known !== undefined) return known;
    const route = readRoute(context, rule, defaults);
    const prepared = { route, findCredential: createFindCredential(route.schemes) };
    if (++routesCount > routesMax) {
      routes = new WeakMap([[context, new Map([[rule, prepared]])]]);
      routesCount = 1;
    } else if (ofContext === undefined) routes.set(context, new Map([[rule, prepared]]));
    else ofContext.set(rule, prepared);
    return prepared;
  };
}

function readRoute(
  context: ReadonlyMap<string, string>,
  rule: Rule | null,
  { schemes, environment }: RouteDefaults,
): Route {
  const named = names(context.get('scheme') || rule?.scheme);
  const asked = context.get('public');
  return {
    isPublic: asked === undefined ? rule?.isPublic === true : asked === 'true',
    schemes: named.length === 0 ? schemes : pick(schemes, named),
    environment: context.get('environment') || rule?.environment || environment,
    permissions: [...new Set([...names(context.get('permissions')), ...(rule?.permissions ?? [])])],
    cost: costOf(context.get('cost')) ?? rule?.cost ?? 1,
  };
}

function pick(
  configured: readonly [Scheme, ...Scheme[]],
  wanted: readonly string[],
): readonly [Scheme, ...Scheme[]] {
  const [first, ...rest] = wanted.flatMap((name) => configured.find((scheme) => scheme.name === name) ?? []);
  return first === undefined ? [nobody(configured[0])] : [first, ...rest];
}

/** A scheme's places and words, with no form that a key could have. */
function nobody(scheme: Scheme): Scheme {
  return { ...scheme, prefixes: [] };
}

function names(list: string | undefined): string[] {
  if (list === undefined || list === '') return [];
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** What is no whole number of units costs as if nothing had been said. */
function costOf(text: string | undefined): number | null {
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}
