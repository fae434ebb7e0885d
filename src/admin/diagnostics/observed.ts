import type { Policy } from '../../check/policy.ts';
import type { Rule } from '../../check/rules.ts';
import { type Finding, info } from '../../store/diagnosis/finding.ts';

/** Rules that are named. */
const rulesNamed = 5;

/** What of the settings is in observe mode; nothing where all is enforced. */
export function findObserved({
  mode,
  schemes,
  rules,
}: Pick<Policy, 'mode' | 'schemes' | 'rules'>): Finding[] {
  const observed = rules.filter((rule) => rule.mode === 'observe').map(nameOf);
  const names = schemes.filter((scheme) => scheme.mode === 'observe').map(({ name }) => name);
  const others = observed.length - rulesNamed;
  const listed = observed.slice(0, rulesNamed).join('; ') + (others > 0 ? `; and ${others} more` : '');
  const found = [
    ...(mode === 'observe' ? ['all that nothing else is said of (mode)'] : []),
    ...(names.length > 0 ? [`requests with keys of ${names.join(', ')} (schemes)`] : []),
    ...(observed.length > 0 ? [`requests that a rule observes: ${listed} (rules)`] : []),
  ];
  if (found.length === 0) return [];
  const what = `In observe mode, and so allowed whatever is found: ${found.join('; ')}.`;
  const cure =
    'Look at postern_checks_total{decision="observed"} for what would be denied; when that is nobody who may call, set mode: enforce (docs/rollout.md).';
  return [info('mode.observe', what, cure)];
}

function nameOf({ match: { methods, host, path, preflight } }: Rule): string {
  const parts = [methods?.join(','), `${host ?? ''}${path ?? ''}`, preflight === true ? 'preflights' : ''];
  return parts.filter(Boolean).join(' ');
}
