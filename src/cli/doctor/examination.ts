import type { Finding } from '../../store/diagnosis/finding.ts';

/** What one part of the set-up looks like. */
export interface Examination {
  readonly findings: readonly Finding[];
  /** False where it could not be looked at, which one of the findings says. */
  readonly isComplete: boolean;
}
