import { expect, it } from 'vitest';
import { readRepository } from './tidy/repository.ts';
import { RULES } from './tidy/rules.ts';
import { plainWords } from './tidy/words.ts';

const repository = readRepository();

for (const { title, check, broken, breaks } of [...RULES, plainWords]) {
  it(title, () => {
    const sample = Object.entries(broken).map(([path, text]) => ({ path, text }));
    expect(check(sample), 'what the rule finds in a repository that breaks it').toHaveLength(breaks);

    expect(check(repository)).toEqual([]);
  });
}

it('looks at the whole repository', () => {
  const paths = repository.map(({ path }) => path);

  for (const path of ['package.json', 'src/cli/main.ts', 'test/tidy.test.ts']) expect(paths).toContain(path);
});
