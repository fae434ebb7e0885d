import type { AST } from '@eslint-community/regexpp';

/** How many characters a part of a pattern may read. */
export interface Lengths {
  readonly min: number;
  readonly max: number;
}

export const noLength: Lengths = { min: 0, max: 0 };

/** One part after another. */
export function addLengths(a: Lengths, b: Lengths, lengthMax: number): Lengths {
  return { min: Math.min(a.min + b.min, lengthMax), max: Math.min(a.max + b.max, lengthMax) };
}

/** One part so many times. */
export function timesLengths({ min, max }: Lengths, least: number, most: number, lengthMax: number): Lengths {
  return { min: Math.min(min * least, lengthMax), max: max === 0 ? 0 : Math.min(max * most, lengthMax) };
}

/** Of a choice of alternatives; none is counted above `lengthMax`. */
export function lengthsOfAny(alternatives: readonly AST.Alternative[], lengthMax: number): Lengths {
  const each = alternatives.map(({ elements }) =>
    elements.reduce((sum, element) => addLengths(sum, lengthsOf(element, lengthMax), lengthMax), noLength),
  );
  return {
    min: Math.min(...each.map(({ min }) => min)),
    max: Math.max(...each.map(({ max }) => max)),
  };
}

export function lengthsOf(element: AST.Element, lengthMax: number): Lengths {
  switch (element.type) {
    case 'Assertion':
      return noLength;
    case 'Group':
    case 'CapturingGroup':
      return lengthsOfAny(element.alternatives, lengthMax);
    case 'Quantifier':
      return timesLengths(lengthsOf(element.element, lengthMax), element.min, element.max, lengthMax);
    case 'Backreference':
      return { min: 0, max: lengthMax };
    default:
      return { min: 1, max: 1 };
  }
}
