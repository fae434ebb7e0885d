import { readFileSync } from 'node:fs';

/** The version of the package, from its package.json, one folder up from the sources as from the compiled files. */
export const version: string = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
).version;
