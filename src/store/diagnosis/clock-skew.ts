import { error, type Finding, warning } from './finding.ts';

const skewMs = { warning: 1_000, error: 5_000 };

/**
 * What a difference of two clocks means: none up to a second, a warning past it, an error past five. `code` names the
 * finding, `subject` the clock that is judged, `reference` the one that it is held against.
 */
export function judgeSkew(
  aheadMs: number,
  {
    code,
    subject,
    reference,
  }: { readonly code: string; readonly subject: string; readonly reference: string },
): Finding[] {
  const size = Math.abs(aheadMs);
  if (size <= skewMs.warning) return [];
  const direction = aheadMs > 0 ? 'ahead of' : 'behind';
  const what = `${subject} is ${formatSkew(size)} ${direction} ${reference}: keys expire, and windows of limits begin, by different clocks.`;
  const cure = 'Let NTP set both clocks (chronyc tracking, or timedatectl status, tells whether it does).';
  return [(size > skewMs.error ? error : warning)(code, what, cure)];
}

function formatSkew(ms: number): string {
  return ms < 120_000 ? `${(ms / 1_000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}
