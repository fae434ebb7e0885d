// Where the sources of a checkout are kept without their types, each by the hash of what it was made of; and, as a
// program, makes those that are missing.
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));
const kept = `${repository}.cache/sources/${process.version}`;

export function pathOfStripped(source) {
  return `${kept}/${createHash('sha256').update(source).digest('hex')}.js`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(kept, { recursive: true });
  for (const file of globSync('src/**/*.ts', { cwd: repository })) {
    const source = readFileSync(`${repository}${file}`);
    const path = pathOfStripped(source);
    if (existsSync(path)) continue;
    // Several may do this at once.
    const made = `${path}.${process.pid}`;
    try {
      // Each type gives way to as many blanks, so that lines and columns stay.
      writeFileSync(made, module.stripTypeScriptTypes(source.toString()));
      renameSync(made, path);
    } catch {}
  }
}
