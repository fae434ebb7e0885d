import { isSameAt } from './bytes-in-place.ts';
import type { CheckLayout } from './check-layout.ts';
import { mapOf } from './pair-texts.ts';
import { contextOfMetadata } from './route-metadata.ts';

/**
 * What a request's route says of itself: the same map for the same bytes, unless they are very many, so that what follows
 * from them is found by it.
 */
export type ReadRouteContext = (bytes: Buffer, layout: CheckLayout) => ReadonlyMap<string, string>;

/**
 * Different `context_extensions` that are remembered: an Envoy has as many as it has routes that say something,
 * in as many orders as its maps have.
 */
const contextsMax = 1_000;
/** Octets of all that are remembered, and of one: what is read of them takes some times as much. */
const contextsBytesMax = 1_048_576;
const contextBytesMax = 16_384;

const noContext: ReadonlyMap<string, string> = new Map();
const noBytes = Buffer.alloc(0);

export function createRouteContexts(): ReadRouteContext {
  /** By their bytes, `knownBytes` of them in all. */
  const known = new Map<string, ReadonlyMap<string, string>>();
  let knownBytes = 0;
  /** Many requests in a row are of one route: their bytes are compared before a text is made of them. */
  let latestBytes = noBytes;
  let latest = noContext;

  function remembered(name: string, read: () => ReadonlyMap<string, string>): ReadonlyMap<string, string> {
    const before = known.get(name);
    if (before !== undefined) return before;
    const context = read();
    knownBytes += name.length;
    if (known.size >= contextsMax || knownBytes > contextsBytesMax) {
      known.clear();
      knownBytes = name.length;
    }
    known.set(name, context);
    return context;
  }

  /** Of a route that has metadata; what stands in `context_extensions` goes before it. */
  function withMetadata(bytes: Buffer, layout: CheckLayout): ReadonlyMap<string, string> {
    const { context, contextAt, contextEnd, metadata } = layout;
    const pieces = Array.from({ length: metadata.length / 2 }, (_, piece) =>
      bytes.subarray(metadata[piece * 2], metadata[piece * 2 + 1]),
    );
    const said = Buffer.concat(pieces);
    const read = () => new Map([...contextOfMetadata(said), ...mapOf(bytes, context)]);
    const isLong = contextEnd - contextAt + said.length > contextBytesMax;
    if (isLong || (context.count > 0 && contextAt === -1)) return read();
    const own = context.count === 0 ? '' : bytes.toString('latin1', contextAt, contextEnd);
    // No context begins so: the first byte of one is a tag.
    return remembered(`\0${said.length}:${said.toString('latin1')}${own}`, read);
  }

  return (bytes, layout) => {
    const { context, contextAt, contextEnd, metadata } = layout;
    if (metadata.length > 0) return withMetadata(bytes, layout);
    if (context.count === 0) return noContext;
    if (contextAt === -1 || contextEnd - contextAt > contextBytesMax) return mapOf(bytes, context);
    if (isSameAt(bytes, contextAt, contextEnd, latestBytes)) return latest;
    const name = bytes.toString('latin1', contextAt, contextEnd);
    latest = remembered(name, () => mapOf(bytes, context));
    latestBytes = Buffer.from(bytes.subarray(contextAt, contextEnd));
    return latest;
  };
}
