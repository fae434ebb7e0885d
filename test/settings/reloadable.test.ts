import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { reloadableSettings } from '../../src/settings/settings-schema.ts';

it('docs/reload.md names every setting that a running service takes over, and no other', () => {
  const page = readFileSync(new URL('../../docs/reload.md', import.meta.url), 'utf8');
  const rows = page.split('\n').filter((line) => /^\| `.*\| taken over\b/.test(line));
  const told = rows
    .flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z_.]+)`/g)])
    .map(([, name]) => name);

  expect(told.toSorted()).toEqual(reloadableSettings.map(({ name }) => name).toSorted());
});
