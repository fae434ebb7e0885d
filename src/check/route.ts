import type { Cleartext, Mode, Scheme } from '../schemes/scheme.ts';
import { knownNames, type Misconfigured, type RouteContext, readContext, readMode } from './context.ts';
import { createFindCredential, type FindCredential } from './credential.ts';
import type { AccessRequest } from './request.ts';
import type { FindRule, Rule } from './rules.ts';

/** What a route asks for. */
export interface Route {
  readonly isPublic: boolean;
  /** The schemes whose keys are allowed, in the order of the configuration or of the route. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly environment: string;
  /** All of these must be held; `a|b` asks for one of the two. */
  readonly permissions: readonly string[];
  /** Units of rate limit, 0 or more. */
  readonly cost: number;
  /** Null where that of the scheme or of the settings holds. */
  readonly mode: Mode | null;
  /** The same of what came in clear text. */
  readonly cleartext: Cleartext | null;
}

export interface RouteDefaults {
  readonly schemes: readonly [Scheme, ...Scheme[]];
  readonly environment: string;
  readonly findRule: FindRule;
  /** Where neither route, rule nor scheme names one; default `enforce`. */
  readonly mode?: Mode | undefined;
  /** The same; default `allow`. */
  readonly cleartext?: Cleartext | undefined;
}

/** A route, and how its credential is found; or why nobody can tell what it asks for. */
export interface PreparedRoute {
  readonly route: Route;
  readonly findCredential: FindCredential;
  readonly misconfigured: Misconfigured | null;
}

/**
 * What a request's route asks for: by the most specific rule, and by Envoy's `context_extensions`, which
 * replace the rule's members one by one, while permissions add up. A route that asks for permissions is not
 * public, whichever of the two says that it is: one is mostly from further above, as from a virtual host.
 *
 * A route is worked out once for each rule and each context that is the same object.
 */
export function createFindRoute(defaults: RouteDefaults): (request: AccessRequest) => PreparedRoute {
  const routes = new WeakMap<ReadonlyMap<string, string>, Map<Rule | null, PreparedRoute>>();
  const known = knownNames(defaults.schemes, defaults.environment);
  /** Many requests in a row are of one route. */
  let latest: Found | null = null;

  return (request) => {
    const { context } = request;
    const rule = defaults.findRule(request);
    if (latest === null || latest.context !== context || latest.rule !== rule)
      latest = { context, rule, prepared: find(context, rule) };
    return latest.prepared;
  };

  function find(context: ReadonlyMap<string, string>, rule: Rule | null): PreparedRoute {
    const ofContext = routes.get(context);
    const before = ofContext?.get(rule);
    if (before !== undefined) return before;
    const prepared = prepare(context, rule);
    if (ofContext === undefined) routes.set(context, new Map([[rule, prepared]]));
    else ofContext.set(rule, prepared);
    return prepared;
  }

  function prepare(context: ReadonlyMap<string, string>, rule: Rule | null): PreparedRoute {
    const read = readContext(context, known);
    const misconfigured = 'misconfigured' in read ? read.misconfigured : null;
    const said: RouteContext = misconfigured === null ? (read as RouteContext) : readMode(context);
    const route = routeOf(said, rule, defaults);
    return { route, findCredential: createFindCredential(route.schemes), misconfigured };
  }
}

interface Found {
  readonly context: ReadonlyMap<string, string>;
  readonly rule: Rule | null;
  readonly prepared: PreparedRoute;
}

function routeOf(said: RouteContext, rule: Rule | null, { schemes, environment }: RouteDefaults): Route {
  const named = said.schemes ?? names(rule?.scheme);
  const permissions = [...new Set([...(said.permissions ?? []), ...(rule?.permissions ?? [])])];
  return {
    isPublic: (said.isPublic ?? rule?.isPublic === true) && permissions.length === 0,
    schemes: named.length === 0 ? schemes : pick(schemes, named),
    environment: said.environment ?? rule?.environment ?? environment,
    permissions,
    cost: said.cost ?? rule?.cost ?? 1,
    mode: said.mode ?? rule?.mode ?? null,
    cleartext: rule?.cleartext ?? null,
  };
}

/**
 * Whether a request is observed alone. The narrowest says it: the route, then the scheme whose key was presented (where
 * none was, the only one that the route asks for), then the settings.
 */
export function isObserved(
  route: Route,
  presented: Scheme | null,
  { mode = 'enforce' }: RouteDefaults,
): boolean {
  return (route.mode ?? schemeOf(route, presented)?.mode ?? mode) === 'observe';
}

/** What becomes of a request that came in clear text, by the same order. */
export function cleartextOf(
  route: Route,
  presented: Scheme | null,
  { cleartext = 'allow' }: RouteDefaults,
): Cleartext {
  return route.cleartext ?? schemeOf(route, presented)?.cleartext ?? cleartext;
}

function schemeOf({ schemes }: Route, presented: Scheme | null): Scheme | null {
  return presented ?? (schemes.length === 1 ? schemes[0] : null);
}

function pick(
  configured: readonly [Scheme, ...Scheme[]],
  wanted: readonly string[],
): readonly [Scheme, ...Scheme[]] {
  const [first, ...rest] = wanted.flatMap((name) => configured.find((scheme) => scheme.name === name) ?? []);
  return first === undefined ? [nobody(configured[0])] : [first, ...rest];
}

/** A scheme's places and words, with no form that a key could have: of a rule whose schemes are gone. */
function nobody(scheme: Scheme): Scheme {
  return { ...scheme, prefixes: [] };
}

function names(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
