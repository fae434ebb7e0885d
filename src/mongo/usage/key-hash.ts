const space = 32;

/**
 * By which keys and owners are spread: 32 bits, the same in every release, since what is stored lies by it. Of a name with
 * a space in it, it is that of what stands before, so that all that an owner has lies together.
 */
export function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) {
    const code = name.charCodeAt(at);
    if (code === space) break;
    hash = Math.imul(hash ^ code, 0x01000193) >>> 0;
  }
  return hash;
}
