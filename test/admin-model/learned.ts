/** Something that the service makes up, and that has to stay what it was once it was seen. */
export class Learned {
  #value: string | null = null;
  readonly #others: readonly Learned[];

  /** It is none of the others. */
  constructor(others: readonly Learned[] = []) {
    this.#others = others;
  }

  /** Null until it was seen. */
  get value(): string | null {
    return this.#value;
  }

  /** What is wrong with it; null when nothing is. */
  see(actual: unknown): string | null {
    if (typeof actual !== 'string' || actual === '') return `is no text: ${JSON.stringify(actual)}`;
    if (this.#value !== null) {
      return this.#value === actual ? null : `was ${this.#value} and is ${actual}`;
    }
    if (this.#others.some(({ value }) => value === actual)) return `is that of another: ${actual}`;
    this.#value = actual;
    return null;
  }

  toJSON(): string {
    return this.#value ?? '(not seen yet)';
  }
}

/** Where the actual value is not what was expected, members in any order; what was not seen before is learned. */
export function differences(expected: unknown, actual: unknown, path = ''): string[] {
  if (expected instanceof Learned) {
    const wrong = expected.see(actual);
    return wrong === null ? [] : [`${path} ${wrong}`];
  }
  if (!isObject(expected) || !isObject(actual) || Array.isArray(expected) !== Array.isArray(actual)) {
    if (Object.is(expected, actual)) return [];
    return [`${path} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`];
  }
  const names = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  return [...names].flatMap((name) => {
    const [wanted, given] = [expected, actual].map((one) =>
      Object.hasOwn(one, name) ? one[name] : undefined,
    );
    return differences(wanted, given, path === '' ? name : `${path}.${name}`);
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
