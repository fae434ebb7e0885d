import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { Surroundings } from './layout.ts';

const files = {
  style: ['console.css', 'text/css; charset=utf-8'],
  script: ['console.js', 'text/javascript; charset=utf-8'],
  icon: ['icon.svg', 'image/svg+xml'],
} as const;

/**
 * Serves the files that pages load. Their addresses hold a mark of what is in them, so that a browser keeps them for
 * good; what has another mark, as while replicas of two versions run, is not kept.
 */
export function addAssets(app: FastifyInstance): Surroundings['assets'] {
  const addresses = Object.entries(files).map(([use, [name, type]]) => {
    const bytes = readFileSync(new URL(`./assets/${name}`, import.meta.url));
    const mark = hash('sha256', bytes, 'hex').slice(0, 16);
    app.get(`/assets/${name}`, async (request, reply) => {
      const isMarked = request.url.endsWith(`?${mark}`);
      reply.header('Cache-Control', isMarked ? 'public, max-age=31536000, immutable' : 'no-store');
      reply.type(type);
      return bytes;
    });
    return [use, `/console/assets/${name}?${mark}`];
  });
  return Object.fromEntries(addresses) as Surroundings['assets'];
}
