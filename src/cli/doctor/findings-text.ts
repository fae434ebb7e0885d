import type { Finding } from '../../store/diagnosis/finding.ts';
import { printable } from '../terminal/output.ts';

/** Findings for a person: each with its cure below it, and how many there are at the end. */
export function textOf(findings: readonly Finding[], isComplete: boolean): string {
  const lines = findings.flatMap(({ level, code, where, what, cure }) => {
    const about = where === null ? '' : `${where}: `;
    const indented = cure === '' ? [] : cure.split('\n').map((line) => `  ${line}`);
    return [`${level}: ${about}${what} [${code}]`, ...indented];
  });
  return [...lines, ...summary(findings, isComplete)].map((line) => `${printable(line)}\n`).join('');
}

function summary(findings: readonly Finding[], isComplete: boolean): string[] {
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  const [errors, warnings] = [count('error'), count('warning')];
  if (errors + warnings === 0) return isComplete ? ['nothing is wrong'] : [];
  const named = (number: number, name: string) =>
    number === 0 ? [] : [`${number} ${name}${number === 1 ? '' : 's'}`];
  return [[...named(errors, 'error'), ...named(warnings, 'warning')].join(', ')];
}
