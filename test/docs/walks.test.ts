import { globSync, readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { blocksOf } from './blocks.ts';
import { openSession } from './session.ts';

const root = new URL('../../', import.meta.url).pathname;

/** The pages that a reader follows from their first block to their last. */
const WALKS = [
  'docs/quickstart.md',
  ...globSync(['docs/recipes/*.md', 'docs/moves/*.md'], { cwd: root }),
].sort();

describe('a page that is followed as it is printed', () => {
  it('is each recipe and each move', () => {
    expect(WALKS.filter((path) => path.startsWith('docs/recipes/')).length).toBeGreaterThanOrEqual(10);
    expect(WALKS.filter((path) => path.startsWith('docs/moves/')).length).toBeGreaterThanOrEqual(5);
  });

  it.each(WALKS)('%s does what it says', { timeout: 600_000 }, async (path) => {
    const session = await openSession();
    onTestFinished(() => session.stop());
    // What is neither a command nor its output nor a file is shown for an example.
    const blocks = blocksOf(readFileSync(root + path, 'utf8')).filter(
      ({ language, role }) => ['sh', 'text'].includes(language) || role !== '',
    );
    const commands = blocks.filter(({ language }) => language === 'sh');
    expect(commands.length, `${path} has commands`).toBeGreaterThan(1);
    let printed = '';
    for (const [at, block] of blocks.entries()) {
      const where = `${path}:${block.line}`;
      if (block.language === 'text') {
        expect(linesLike(printed, block.text), `${where}\n${printed}`).toEqual([]);
        continue;
      }
      const done = await session.follow(block);
      printed = done.printed;
      const isTold = blocks[at + 1]?.language === 'text';
      if (!isTold) expect(done.exitCode, `${where}\n${printed}`).toBe(0);
    }
  });
});

/** The lines of what a page shows that are not there, in this order, in what was printed; `…` stands for anything. */
function linesLike(printed: string, shown: string): string[] {
  const lines = printed.split('\n').map((line) => line.trim());
  let from = 0;
  return shown
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && line !== '…')
    .filter((line) => {
      const like = new RegExp(
        `^${line
          .split('…')
          .map((part) => RegExp.escape(part))
          .join('.*')}$`,
      );
      const found = lines.findIndex((each, at) => at >= from && like.test(each));
      if (found >= 0) from = found + 1;
      return found < 0;
    });
}
