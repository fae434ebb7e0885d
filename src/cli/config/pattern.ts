import { createRequire } from 'node:module';

const judgedMsMax = 5_000;

/**
 * Why a regular expression may take longer than linear time on some text; null when it can not. recheck has
 * 3 MB and is loaded when there is something to judge.
 */
export function judgePattern(pattern: string): string | null {
  // Its only switch: as it comes it starts a worker and a native program.
  process.env.RECHECK_SYNC_BACKEND = 'pure';
  const { checkSync } = createRequire(import.meta.url)('recheck') as typeof import('recheck');
  const { status, ...found } = checkSync(`^(?:${pattern})$`, 'u', { timeout: judgedMsMax });
  if (status === 'safe') return null;
  if (status === 'unknown') return 'can not be shown to be quick on every text; expected a simpler pattern';
  const type = 'complexity' in found ? found.complexity.type : 'polynomial';
  return `can backtrack badly: its time may be ${type} in the length of a key; expected one without adjoining or nested repetitions of the same characters`;
}
