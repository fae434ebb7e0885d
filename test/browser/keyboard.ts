import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const stopsMax = 90;

/** Goes on with Tab until this has the focus, all on the way being seen to have it. */
export async function tabTo(page: Page, label: string | RegExp): Promise<void> {
  const passed: string[] = [];
  for (let pressed = 0; pressed < stopsMax; pressed += 1) {
    await page.keyboard.press('Tab');
    const { text, isPage } = await focused(page);
    // Behind the last one the page itself has it, and then the first one again.
    if (isPage) continue;
    passed.push(text);
    // Browsers differ in whether they scroll to it at once.
    await expect
      .poll(() => focused(page), { message: `${text} is seen to have the focus` })
      .toMatchObject({ text, isSeen: true });
    if (typeof label === 'string' ? text === label : label.test(text)) return;
  }
  throw new Error(`No ${label} among ${passed.join(', ')}`);
}

export interface Focused {
  readonly text: string;
  readonly isSeen: boolean;
  readonly isPage: boolean;
}

/** What has the focus, and whether that can be seen: in the window, with an outline around it. */
export async function focused(page: Page): Promise<Focused> {
  return (await page.evaluate(`(() => {
    const at = document.activeElement;
    const { outlineStyle, outlineWidth, outlineOffset } = getComputedStyle(at);
    const { top, bottom, left, right } = at.getBoundingClientRect();
    const around = parseFloat(outlineWidth) + parseFloat(outlineOffset);
    const isInside = Math.min(top, left, innerHeight - bottom, innerWidth - right) >= around;
    return {
      text: at.getAttribute('aria-label') ?? (at.labels?.[0] ?? at).textContent.trim(),
      isPage: at === document.body,
      isSeen: isInside && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2,
    };
  })()`)) as Focused;
}
