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
      'forced',
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

const iconColour = '#1f4fd8';
const otherColours = ['#b45309', '#0f766e', '#7e22ce', '#be123c'];

/** Blue where the environment is `live`, and of another colour in others, so that their tabs are told apart. */
function colourOf(environment: string): string {
  if (environment === 'live') return iconColour;
  if (environment === 'test') return otherColours[0] as string;
  const place = hash('sha256', environment, 'buffer')[0] as number;
  return otherColours[place % otherColours.length] as string;
}

/**
 * Serves the files that pages load. Their addresses hold a mark of what is in them, so that a browser keeps them for
 * good; what has another mark, as while replicas of two versions run, is not kept.
 */
export function addAssets(app: FastifyInstance, environment: string): Surroundings['assets'] {
  const addresses = Object.entries(files).map(([use, { name, type, parts }]) => {
    const read = parts.map((part) => readFileSync(new URL(`./assets/${part}`, import.meta.url), 'utf8'));
    const text = read.join('');
    const bytes = Buffer.from(use === 'icon' ? text.replace(iconColour, colourOf(environment)) : text);
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
