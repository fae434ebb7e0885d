import type { KeyRule } from '../keys/key-rules.ts';
import { createPlans, type PlanLimits, type Plans } from '../limits/plan.ts';
import type { Cleartext, Mode, Scheme } from '../schemes/scheme.ts';
import { createRules, type FindRule, type Rule } from './rules.ts';
import { createUpstream, type TokenFor, type Upstream, type UpstreamSettings } from './upstream.ts';

/**
 * What requests and keys are judged by, as the settings had it at one moment. It does not change: a reload puts
 * another in its place, so that whoever holds one is never between two.
 */
export interface Policy {
  /** Of Checks, in the order in which they are looked for; the first is CreateKey's default. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /** All that keys may be of: the same, then that of admin keys if it is not among them. */
  readonly keySchemes: readonly [Scheme, ...Scheme[]];
  /** What is served where a route names no environment. */
  readonly environment: string;
  readonly plans: Plans;
  readonly findRule: FindRule;
  /** What keys have to be. */
  readonly keyRules: readonly KeyRule[];
  /** Those that it finds. */
  readonly rules: readonly Rule[];
  readonly mode: Mode;
  readonly cleartext: Cleartext;
  /** What the upstream is told, and what no client may tell it. */
  readonly upstream: Upstream;
}

/** What of a policy makes and changes keys. */
export type KeyPolicy = Pick<Policy, 'keySchemes' | 'environment' | 'plans' | 'keyRules'>;

/** What of the settings makes a policy. */
export interface PolicySettings extends Pick<Policy, 'schemes' | 'environment'>, UpstreamSettings {
  /** The scheme of admin keys, whether or not `schemes` lists it. */
  readonly adminScheme: Scheme;
  readonly plans: PlanLimits;
  readonly rules: readonly Rule[];
  readonly keyRules?: readonly KeyRule[];
  /** Where neither route, rule nor scheme names one. */
  readonly mode: Mode;
  /** The same. */
  readonly cleartext: Cleartext;
}

export function createPolicy(settings: PolicySettings, tokenFor?: TokenFor): Policy {
  const { schemes, adminScheme, environment, plans, rules, mode, cleartext } = settings;
  const hasAdminScheme = schemes.some(({ name }) => name === adminScheme.name);
  return {
    ...{ schemes, environment, mode, cleartext, rules },
    keyRules: settings.keyRules ?? [],
    keySchemes: hasAdminScheme ? schemes : [...schemes, adminScheme],
    plans: createPlans(plans),
    findRule: createRules(rules),
    upstream: createUpstream(settings, tokenFor),
  };
}
