import { judgePattern } from './judge.ts';

/** Of each pattern that was looked at, what `judgePattern` said. */
export type Verdicts = ReadonlyMap<string, string | null>;

/** `judgePattern`, and what it has said so far. */
export function createJudge(): {
  readonly verdicts: Verdicts;
  readonly judge: (pattern: string) => string | null;
} {
  const verdicts = new Map<string, string | null>();
  return {
    verdicts,
    judge(pattern) {
      const verdict = judgePattern(pattern);
      verdicts.set(pattern, verdict);
      return verdict;
    },
  };
}
