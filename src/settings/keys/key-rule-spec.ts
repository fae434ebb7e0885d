import { z } from 'zod';
import type { KeyRule } from '../../keys/key-rules.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { suggestion } from '../nearest-name.ts';
import { duration, text, wholeNumber } from '../setting-forms.ts';

const lifetime = duration(1_000, 36_500 * 86_400_000);

/** What keys have to be. */
export const keyRuleSpec = z
  .strictObject({
    match: z
      .strictObject({
        scheme: text(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected the name of a scheme').optional(),
        environment: text(/^[a-z0-9_-]+$/, 'expected a name of a-z, 0-9, _ and -').optional(),
        owner_bound: z.boolean().optional().describe('Whether they have an owner (default: both).'),
      })
      .prefault({})
      .describe('Which keys the rule is about; all of them without it.'),
    lifetime_max: lifetime.optional().describe('The longest life of a key, from when it is made.'),
    lifetime_default: lifetime.optional().describe('The life of a key for which none is asked.'),
    allowlist_required: z.boolean().default(false).describe('Whether a key needs an ip_allowlist.'),
    keys_per_owner_max: wholeNumber(1, 1_000_000)
      .optional()
      .describe('The most keys of one owner, disabled ones too, not those that have ended.'),
  })
  .refine(
    ({ lifetime_max: most, lifetime_default: chosen }) =>
      most === undefined || chosen === undefined || chosen <= most,
    { path: ['lifetime_default'], error: 'is longer than lifetime_max' },
  )
  .transform(
    ({ match: { scheme, environment, owner_bound }, ...rule }): KeyRule => ({
      match: {
        ...(scheme !== undefined && { scheme }),
        ...(environment !== undefined && { environment }),
        ...(owner_bound !== undefined && { ownerBound: owner_bound }),
      },
      lifetimeMaxMs: rule.lifetime_max ?? null,
      lifetimeDefaultMs: rule.lifetime_default ?? null,
      allowlistRequired: rule.allowlist_required,
      keysPerOwnerMax: rule.keys_per_owner_max ?? null,
    }),
  );

/** Names of schemes in the rules that there are not: such a rule would hold for nobody. */
export function keyRuleProblems(given: unknown, schemes: readonly string[]): ConfigProblem[] {
  if (!Array.isArray(given)) return [];
  return given.flatMap((rule, index) => {
    const scheme: unknown = rule?.match?.scheme;
    if (typeof scheme !== 'string' || schemes.includes(scheme)) return [];
    const message = `"${scheme}" is not among the schemes${suggestion(scheme, schemes)}`;
    return [{ path: ['key_rules', index, 'match', 'scheme'], message }];
  });
}
