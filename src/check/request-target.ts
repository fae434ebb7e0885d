/** What a request is for, as the bytes of its path without the query, its host and its method, side by side. */
export interface RequestTarget {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly pathLength: number;
  readonly hostLength: number;
  readonly methodLength: number;
}

/** How marks are made: of at most so many bytes. */
export const markedMax = 128;
export const markStart = 5381;
export const markNext = (mark: number, code: number) => (Math.imul(mark, 33) ^ code) | 0;

/** `?` and `#`. */
export function isPathEnd(code: number): boolean {
  return code === 0x3f || code === 0x23;
}
