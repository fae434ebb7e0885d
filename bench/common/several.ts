/** So many of them, of which some are under way at any time. */
export async function several(
  count: number,
  underWay: number,
  work: (at: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: underWay }, async () => {
      for (let at = next++; at < count; at = next++) await work(at);
    }),
  );
}
