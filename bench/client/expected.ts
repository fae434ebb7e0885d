import type { Outcome } from './answer.ts';

/** What every answer has to be: one of these, until at one moment it has to be another. */
export interface Expected {
  readonly outcomes: readonly Outcome[];
  readonly change: {
    /** Unix milliseconds. */
    readonly at: number;
    readonly outcomes: readonly Outcome[];
  } | null;
}

/** Two clocks are compared, of which one counts whole milliseconds and either may be set a little meanwhile. */
const clocksMs = 20;

/**
 * Whether an answer is what it has to be. One to a Check that was in the air at the moment of the change may be
 * either; the server goes by its own clock when it judges, which is between the Check and its answer.
 *
 * @param sentAt and answeredAt Unix milliseconds
 */
export function isExpected(
  { outcomes, change }: Expected,
  outcome: Outcome,
  { sentAt, answeredAt }: { readonly sentAt: number; readonly answeredAt: number },
): boolean {
  if (change === null || answeredAt < change.at - clocksMs) return outcomes.includes(outcome);
  if (change.outcomes.includes(outcome)) return true;
  return sentAt <= change.at + clocksMs && outcomes.includes(outcome);
}
