import type { FastifyInstance } from 'fastify';
import { wireErrorAnswer } from '../status.ts';

/** What a parameter of a path may have: an owner's id may have 128 characters, and one that has more is to be told so. */
export const segmentMax = 1_024;

/** A path that has routes, as a pattern of what is asked for, and the methods that it takes. */
interface TakenPath {
  readonly pattern: RegExp;
  /** Whether what it matches would match another path, too, which has this one's parameter without its form. */
  readonly isNarrower: boolean;
  readonly methods: Set<string>;
}

/**
 * Adds routes to `app` through `add`, and answers every other method on their paths with 405 and `Allow`. These methods
 * have no routes: one for each method and path would be 1 200, which take 3 MB.
 */
export function withOtherMethodsRefused(app: FastifyInstance, add: () => void): void {
  const taken = new Map<string, TakenPath>();
  let isAdding = true;
  app.addHook('onRoute', ({ url, method }) => {
    if (!isAdding) return;
    const path = taken.get(url) ?? {
      pattern: patternOf(url),
      isNarrower: url.includes('('),
      methods: new Set(),
    };
    taken.set(url, path);
    for (const name of [method].flat()) path.methods.add(name);
  });
  add();
  isAdding = false;

  const all = [...taken.values()];
  const narrower = all.filter((path) => path.isNarrower);
  const inOrder = [...narrower, ...all.filter((path) => !path.isNarrower)];
  // Before the body is read.
  app.addHook('onRequest', async (request, reply) => {
    const { is404, url, method } = request;
    const path = pathOf(url);
    const found =
      path === null ? undefined : (is404 ? inOrder : narrower).find((one) => one.pattern.test(path));
    if (path === null ? !is404 : (found?.methods.has(method) ?? true)) return;
    const status = path === null ? 400 : isTooLong(path) ? 414 : 405;
    if (status === 405) reply.header('Allow', [...(found?.methods ?? [])].sort().join(', '));
    return reply.code(status).send(wireErrorAnswer(status).body);
  });
}

/** As Fastify reads it: a parameter is all up to the next slash, or of the form in brackets; two colons are one. */
function patternOf(url: string): RegExp {
  const parts = url.split(/(::|:\w+(?:\([^)]*\))?)/).map((part, at) => {
    if (at % 2 === 0) return RegExp.escape(part);
    return part === '::' ? ':' : (/\(\^?(.*)\)/.exec(part)?.[1] ?? '[^/]*');
  });
  return new RegExp(`^${parts.join('')}$`);
}

/** Decoded, but for what would then be taken for a part of the path's own form; null where that cannot be done. */
function pathOf(url: string): string | null {
  try {
    return decodeURI(url.replace(/^[a-z]+:\/\/[^/?#]*/i, '').replace(/[?#].*/s, ''));
  } catch {
    return null;
  }
}

/** Of a parameter, which the router would not read. */
function isTooLong(path: string): boolean {
  return path.split('/').some((segment) => segment.length > segmentMax);
}
