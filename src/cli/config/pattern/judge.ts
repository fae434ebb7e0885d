import { type AST, RegExpParser } from '@eslint-community/regexpp';
import { type AutomatonOptions, automatonOf, type Lookaround, UnjudgedPattern } from './automaton.ts';
import { charactersOf } from './characters.ts';
import { stepsNeeded } from './steps.ts';

/** No credential is longer, so no text that a pattern is tried on. */
const textLengthMax = 1_024;

/**
 * In how many ways a text may have been read, summed over its characters. Adjoining repetitions of the same characters
 * have as many for one character as stand before it, nested ones far more. V8 takes a millisecond for so many.
 */
const readingsMax = 256 * textLengthMax;
/** What may be tried, summed likewise: the alternatives that stand side by side count too. */
const triesMax = 4 * readingsMax;

const shownMax = 24;
const tooMany =
  'has too many ways to be read; expected a pattern without adjoining or nested repetitions of the same characters';

/**
 * Why a regular expression, matched from a text's beginning to its end, may take longer than linear time; null when
 * it cannot. A proof, and no search for an attack: it counts all ways in which a backtracking matcher can have read
 * the same text, on every text up to the longest that there is.
 */
export function judgePattern(pattern: string): string | null {
  try {
    return judge(parse(pattern), { textLengthMax, backward: false }).problem;
  } catch (error) {
    if (!(error instanceof UnjudgedPattern)) throw error;
    return `cannot be shown to be quick on every text: ${error.message}; expected a simpler pattern`;
  }
}

function parse(pattern: string): readonly AST.Alternative[] {
  try {
    const parser = new RegExpParser({ ecmaVersion: 2025 });
    return parser.parsePattern(pattern, 0, pattern.length, { unicode: true }).alternatives;
  } catch (error) {
    // The engine may know more than the parser.
    throw new UnjudgedPattern((error as Error).message);
  }
}

/** What is wrong, and else the most steps that one character needs, and the longest text. */
type Judged =
  | { readonly problem: string }
  | { readonly problem: null; readonly steps: number; readonly lengthMax: number };

function judge(alternatives: readonly AST.Alternative[], options: AutomatonOptions): Judged {
  const automaton = automatonOf(alternatives, options);
  const { steps, witness } = stepsNeeded(automaton, charactersOf(automaton.atoms), {
    waysMax: readingsMax / Math.max(1, automaton.lengthMax),
    stepsMax: triesMax / Math.max(1, automaton.lengthMax),
    textLengthMax,
  });
  if (witness !== null) {
    const shown = witness.length > shownMax ? `${witness.slice(0, shownMax)}…` : witness;
    return { problem: `can backtrack badly: a text such as ${JSON.stringify(shown)} ${tooMany}` };
  }
  for (const lookaround of automaton.lookarounds) {
    const problem = judgeLookaround(lookaround, steps);
    if (problem !== null) return { problem };
  }
  return { problem: null, steps, lengthMax: automaton.lengthMax };
}

/** What stands in a lookaround is read anew at every place that the pattern comes to it. */
function judgeLookaround({ node, places }: Lookaround, steps: number): string | null {
  const inner = judge(node.alternatives, { textLengthMax, backward: node.kind === 'lookbehind' });
  if (inner.problem !== null) return inner.problem;
  if (places * steps * (inner.lengthMax + 1) * inner.steps <= triesMax) return null;
  return `can backtrack badly: ${node.raw} is read anew at up to ${places} places of a text; expected it where the pattern begins, or shorter`;
}
