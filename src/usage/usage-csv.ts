import { reasons } from '../schemes/answer.ts';
import type { UsageSum } from '../store/usage/usage-sums.ts';
import { formatTime } from '../time/time.ts';

/** The line of names of a table of use, as CSV (RFC 4180). */
export function usageCsvHead(): string {
  return `${['group', 'start', 'allowed', ...reasons.map((reason) => `denied_${reason}`)].join(',')}\r\n`;
}

/** A line of it; what is null is empty. */
export function usageCsvLine({ group, start, allowed, denied }: UsageSum): string {
  const counts = [allowed, ...reasons.map((reason) => denied[reason] ?? 0)];
  return `${[field(group ?? ''), start === null ? '' : formatTime(start), ...counts].join(',')}\r\n`;
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
