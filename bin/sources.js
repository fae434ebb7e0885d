// The sources of a checkout without their types, from .cache/sources: Node would take them out anew at each start, in
// every thread, by a program of 30 MB that stays in memory; and its own compile cache stays there, too.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { pathOfStripped } from './stripped-sources.js';

const sources = new URL('../src/', import.meta.url).href;
let isMade = false;

registerHooks({
  load(url, context, nextLoad) {
    if (!url.startsWith(sources) || !url.endsWith('.ts')) return nextLoad(url, context);
    const source = stripped(readFileSync(fileURLToPath(url)));
    // Where nothing can be kept, and for what cannot be read as TypeScript, Node does it and says what is wrong.
    return source === null ? nextLoad(url, context) : { format: 'module', source, shortCircuit: true };
  },
});

/** Null where there is none. One child makes all that are missing, once. */
function stripped(source) {
  const path = pathOfStripped(source);
  const found = read(path);
  if (found !== null || isMade) return found;
  isMade = true;
  const program = fileURLToPath(new URL('stripped-sources.js', import.meta.url));
  spawnSync(process.execPath, [program], { stdio: 'ignore', env: {} });
  return read(path);
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
