/**
 * The environment of a service whose clock is this much ahead of the machine's, in all of its threads; less than 0 is
 * behind. Its monotonic clock, by which it counts how long something takes, is the machine's.
 */
export function clockAhead(ms: number): { readonly NODE_OPTIONS: string } {
  const script = `const Real = Date;
globalThis.Date = class extends Real {
  constructor(...given) {
    if (given.length === 0) super(Real.now() + ${ms});
    else super(...given);
  }
  static now() {
    return Real.now() + ${ms};
  }
};`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
}
