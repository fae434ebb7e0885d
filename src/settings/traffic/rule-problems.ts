import type { Rule } from '../../check/rules.ts';
import type { ConfigProblem } from '../config-problem.ts';
import { suggestion } from '../nearest-name.ts';
import { readableRule } from './rule-spec.ts';

/** What is wrong with the rules of the settings beyond the form of each, as far as they can be read. */
export function ruleProblems(given: unknown, schemes: readonly string[]): ConfigProblem[] {
  if (!Array.isArray(given)) return [];
  const rules = given.map(readableRule);
  const unknown = rules.flatMap(({ scheme }, index) =>
    (scheme?.split(',') ?? [])
      .map((name) => name.trim())
      .filter((name) => !schemes.includes(name))
      .map((name) => ({
        path: ['rules', index, 'scheme'],
        message: `"${name}" is not among the schemes${suggestion(name, schemes)}`,
      })),
  );
  return [...unknown, ...hiddenRules(rules)];
}

/** Rules that an earlier one with the same host and path leaves no method to. */
function hiddenRules(rules: readonly { readonly match?: Rule['match'] }[]): ConfigProblem[] {
  const seen = new Map<
    string,
    { readonly index: number; readonly methods: readonly string[] | undefined }[]
  >();
  return rules.flatMap(({ match }, index) => {
    if (match === undefined) return [];
    const { host, path, preflight } = match;
    // Of a preflight there is one method.
    const methods = preflight === true ? undefined : match.methods;
    const sort = JSON.stringify([host ?? null, path ?? null, methods === undefined, preflight === true]);
    const earlier = seen.get(sort) ?? [];
    seen.set(sort, [...earlier, { index, methods }]);
    const hides = earlier.find((rule) => methods?.every((method) => rule.methods?.includes(method)) ?? true);
    if (hides === undefined) return [];
    const message = `matches what rules.${hides.index} matches, which goes first; expected one rule for one match`;
    return [{ path: ['rules', index, 'match'], message }];
  });
}
