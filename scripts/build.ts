/** Compiles src into dist, which the package and the container image run: `npm run build`. */
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { type OutputChunk, rolldown } from 'rolldown';

/**
 * Packages of which a part goes into dist/bundled, so that nobody who installs Postern installs them: of 34 MB that
 * they come with, types, maps and what is never called make up 33. They are devDependencies, run as they are from the
 * checkout, and are all of this kind: plain JavaScript, without files, workers or programs of their own.
 */
const BUNDLED =
  /^(?:@eslint-community\/regexpp|@kubernetes\/client-node|@opentelemetry\/(?:core|exporter-trace-otlp-proto|resources|sdk-trace)|zod)$/;

const english = "export { default as en } from './en.js';";

/** One copy for all: what holds something global, and what is installed in any case. */
const APART = ['@opentelemetry/api', 'openid-client'];

/** Of 3 MB of calls and models of Kubernetes what reads its configuration is used. */
const SIDE_EFFECTS = [{ test: /\/@kubernetes\/client-node\//, sideEffects: false }];

rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync('node_modules/.bin/tsc', ['--project', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
// Presets and descriptors are read at run time, from beside the code.
cpSync('src', 'dist', { recursive: true, filter: (path) => !path.endsWith('.ts') });
await bundle();

/** What dist imports of these packages is compiled into it, and imported from there. */
async function bundle(): Promise<void> {
  const names = new Map<string, Set<string>>();
  for (const file of globSync('dist/**/*.js')) {
    const text = readFileSync(file, 'utf8').replaceAll(
      /^import \{([^}]*)\} from '([^'.][^']*)';$/gm,
      (line, imported: string, from: string) => {
        if (!BUNDLED.test(from)) return line;
        const known = names.get(from) ?? new Set();
        for (const name of imported.split(',')) known.add(name.replace(/ as .*/s, '').trim());
        names.set(from, known);
        const path = posix.relative(dirname(file), `dist/bundled/${fileOf(from)}.js`);
        return `import {${imported}} from '${path.startsWith('.') ? path : `./${path}`}';`;
      },
    );
    writeFileSync(file, text);
  }
  const entries = new Map(
    [...names].map(([from, imported]) => [
      `${process.cwd()}/${fileOf(from)}.entry.js`,
      `export { ${[...imported].filter((name) => name !== '').join(', ')} } from '${from}';`,
    ]),
  );
  const build = await rolldown({
    input: Object.fromEntries([...names.keys()].map((from) => [fileOf(from), `${fileOf(from)}.entry.js`])),
    external: APART,
    treeshake: { moduleSideEffects: SIDE_EFFECTS },
    platform: 'node',
    plugins: [
      {
        name: 'entries',
        resolveId: (id) => [...entries.keys()].find((path) => path.endsWith(`/${id}`)),
        // Zod's messages in all other languages would be two thirds of it, and are held in memory once it is loaded.
        load: (id) => (id.endsWith('/zod/v4/locales/index.js') ? english : entries.get(id)),
      },
    ],
  });
  const { output } = await build.write({
    dir: 'dist/bundled',
    format: 'esm',
    chunkFileNames: 'shared-[name].js',
  });
  const modules = output
    .filter((part): part is OutputChunk => part.type === 'chunk')
    .flatMap((chunk) => chunk.moduleIds);
  writeFileSync('dist/bundled/LICENSES', licensesOf(modules));
}

function fileOf(specifier: string): string {
  return specifier.replace('@', '').replaceAll('/', '-');
}

/** The licenses of all packages that modules are from, as these ask for where they are copied. */
function licensesOf(modules: readonly string[]): string {
  const folders = modules.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []);
  return [...new Set(folders)]
    .toSorted()
    .map((folder) => {
      const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
      const [file] = globSync(`${folder}/{,UN}{LICEN[CS]E,licen[cs]e}*`);
      if (file === undefined) throw new Error(`${name} has no file with its license`);
      return `${name} ${version}\n\n${readFileSync(file, 'utf8').trim()}\n`;
    })
    .join(`\n${'-'.repeat(80)}\n\n`);
}
