import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import type { Surroundings } from './surroundings.ts';

/** What pages load: each file of the parts below `assets/` that are listed, in this order. */
const files = {
  style: {
    name: 'console.css',
    type: 'text/css; charset=utf-8',
    parts: [
      'tokens',
      'base',
      'frame',
      'controls',
      'chips',
      'notes',
      'table',
      'lines',
      'plot',
      'activity',
      'key',
      'overview',
      'print',
    ].map((part) => `styles/${part}.css`),
  },
  script: {
    name: 'console.js',
    type: 'text/javascript; charset=utf-8',
    parts: ['page', 'keyboard', 'choosing', 'follow'].map((part) => `scripts/${part}.js`),
  },
  icon: { name: 'icon.svg', type: 'image/svg+xml', parts: ['icon.svg'] },
} as const;

/**
 * Serves the files that pages load. Their addresses hold a mark of what is in them, so that a browser keeps them for
 * good; what has another mark, as while replicas of two versions run, is not kept.
 */
export function addAssets(app: FastifyInstance): Surroundings['assets'] {
  const addresses = Object.entries(files).map(([use, { name, type, parts }]) => {
    const bytes = Buffer.concat(
      parts.map((part) => readFileSync(new URL(`./assets/${part}`, import.meta.url))),
    );
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
