import type { ScenarioResult } from '../checks/rounds.ts';
import { groupTitle, scenarioTitle } from './markdown.ts';

/** What could not be measured. */
export interface Failure {
  /** The section's title. */
  readonly section: string;
  /** The row's title; where no peer of a section could be started, what its rows end in, as in `100,000 keys`. */
  readonly row: string;
  /** One line. */
  readonly reason: string;
}

const reasonMax = 300;

/** What was thrown, in one line: logs that it quotes have lines of their own. */
export function reasonOf(thrown: unknown): string {
  const [line = ''] = (thrown instanceof Error ? thrown.message : String(thrown)).split('\n');
  return line.replace(/; its log ends in:$/, '').slice(0, reasonMax);
}

/** Those of before that were not measured since, and did not fail again. */
export function stillFailed(
  before: readonly Failure[],
  since: { readonly scenarios: readonly ScenarioResult[]; readonly failed: readonly Failure[] },
): Failure[] {
  const isOver = ({ section, row }: Failure) =>
    since.failed.some((other) => other.section === section && other.row === row) ||
    since.scenarios.some(
      (result) =>
        result.group.title === section && [scenarioTitle(result), groupTitle(result.group)].includes(row),
    );
  return before.filter((failure) => !isOver(failure));
}

/** As it stands above the tables; nothing where nothing failed. */
export function failuresMarkdown(failed: readonly Failure[]): string[] {
  if (failed.length === 0) return [];
  const lines = failed.map(({ section, row, reason }) => `- ${section}: ${row}: ${reason}`);
  return [['Not measured, since it failed:', '', ...lines].join('\n')];
}
