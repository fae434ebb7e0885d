/** So many, that a number of 16 bits names each. */
export const namesMax = 0xffff;

/** Values by small numbers from 1 on; 0 where there are too many. */
export function createNames<Value>(nameOf: (value: Value) => string) {
  const places = new Map<string, number>();
  const values: (Value | null)[] = [null];
  return {
    placeOf(value: Value): number {
      const name = nameOf(value);
      const known = places.get(name);
      if (known !== undefined) return known;
      if (values.length > namesMax) return 0;
      places.set(name, values.push(value) - 1);
      return values.length - 1;
    },
    at: (place: number) => values[place] as Value,
  };
}

/** Whether both name something, and not the same. */
export function isOther(one: number, other: number): boolean {
  return one !== 0 && other !== 0 && one !== other;
}
