import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../../../', import.meta.url).pathname;
const areas =
  'admin|clock|console|database|envoy|fleet|leaks|listen|pepper|plans|secret|service|settings|socket|store|tls|version';

it('docs/doctor.md has every finding that there is, once, and no other', () => {
  const told = codesIn(
    readFileSync(`${root}docs/doctor.md`, 'utf8'),
    '^\\| `',
    /`([a-z0-9_]+\.[a-z0-9_]+)`/g,
  );
  // Whatever makes findings.
  const files = globSync('src/**/*.ts', { cwd: root }).filter((file) =>
    /from '[^']*\/finding\.ts'/.test(readFileSync(root + file, 'utf8')),
  );
  expect(files.length).toBeGreaterThan(10);
  const made = files.flatMap((file) =>
    codesIn(readFileSync(root + file, 'utf8'), '', new RegExp(`'((?:${areas})\\.[a-z0-9_]+)'`, 'g')),
  );
  expect(told.toSorted()).toEqual([...new Set(made)].toSorted());
});

/** Of the lines that begin so; in a table's row, of its first cell. */
function codesIn(text: string, line: string, code: RegExp): string[] {
  return text
    .split('\n')
    .filter((each) => new RegExp(line).test(each))
    .map((each) => (line === '' ? each : (each.split('|')[1] ?? '')))
    .flatMap((each) => [...each.matchAll(code)].map((match) => match[1] ?? ''));
}
