/** Compiles src into dist, which the package and the container image run: `npm run build`. */
import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
const { status } = spawnSync('node_modules/.bin/tsc', ['--project', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (status !== 0) process.exit(status ?? 1);
// Presets and descriptors are read at run time, from beside the code.
cpSync('src', 'dist', { recursive: true, filter: (path) => !path.endsWith('.ts') });
