import axe, { type AxeResults } from 'axe-core';

/** What a page of any browser can be asked for. */
export interface Examined {
  evaluate(expression: string): Promise<unknown>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(media: { colorScheme: 'light' | 'dark' }): Promise<void>;
}

const everyWidth = [360, 768, 1280, 1920];

/** All of axe's rules, and those that a theme, which changes colours alone, can break. */
const rules = { light: null, dark: ['color-contrast', 'link-in-text-block'] };
const themes = ['light', 'dark'] as const;

/** The innermost of what reaches beyond the window. */
const widest = `[...document.querySelectorAll('main *')].filter((one) =>
  one.getBoundingClientRect().right > innerWidth).at(-1)?.outerHTML.slice(0, 300)`;

/** What axe finds fault with on the page that is shown, wide or narrow, light or dark, and whether it is too wide. */
export async function axeFaults(
  page: Examined,
  what: string,
  widths: readonly number[] = everyWidth,
): Promise<string[]> {
  const faults: string[] = [];
  await page.evaluate(`${axe.source}; axe.configure({ rules: [{ id: 'target-size', enabled: true }] })`);
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const over = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
    if (over > 0) faults.push(`${what}: ${over} px too wide at ${width}: ${await page.evaluate(widest)}`);
    for (const colorScheme of themes) {
      await page.emulateMedia({ colorScheme });
      const options = { preload: false, ...(rules[colorScheme] && { runOnly: rules[colorScheme] }) };
      const run = `axe.run(${JSON.stringify(options)}).then(({ violations }) => violations)`;
      const violations = (await page.evaluate(run)) as AxeResults['violations'];
      for (const { id: rule, nodes } of violations) {
        faults.push(
          `${what}, ${width}, ${colorScheme}: ${rule} at ${nodes.map(({ html }) => html).join(' ')}`,
        );
      }
    }
  }
  return faults;
}
