import { printable } from '../terminal/output.ts';
import type { Plan, Step } from './plan.ts';

/** The plan, a line for each change, and below one a line for each member that changes. No line for what stays. */
export function planText({ steps, same }: Plan): string {
  if (steps.length === 0) return `nothing to change: ${same} as wanted\n`;
  const lines = steps.flatMap(stepLines);
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function stepLines(step: Step): string[] {
  const name = `${step.kind} ${step.id}`;
  if (step.act === 'make') return [`+ ${name}`];
  if (step.act === 'revoke') return [`- ${name} (${step.key.id}): ${step.why}`];
  const members = step.differences.map(
    ({ member, before, after }) => `    ${member}: ${valueText(before)} → ${valueText(after)}`,
  );
  return [`~ ${name}`, ...members];
}

function valueText(value: unknown): string {
  return JSON.stringify(value ?? null);
}

/** `2 made, 1 changed, 1 revoked`; empty for nothing. */
export function countText(steps: readonly Pick<Step, 'act'>[]): string {
  const words = { make: 'made', change: 'changed', revoke: 'revoked' } as const;
  const counts = (['make', 'change', 'revoke'] as const).map(
    (act) => [steps.filter((step) => step.act === act).length, words[act]] as const,
  );
  return counts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`)
    .join(', ');
}
