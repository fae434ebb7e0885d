/** All, in their order, as many at once as are written, read or added up together. */
export function* portions<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size);
}
