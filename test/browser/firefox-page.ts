import { until } from '../real/until.ts';
import { type Bidi, BidiError } from './bidi.ts';

/** A page as its reader has it: what is pressed and typed goes through the window, as from a mouse and a keyboard. */
export interface FirefoxPage {
  goto(url: string): Promise<void>;
  reload(): Promise<void>;
  goBack(): Promise<void>;
  /** Waits for the page with this heading, all of it. */
  heading(name: string): Promise<void>;
  /** Waits until the first that has this role and name is there, and presses it. */
  press(role: string, name: string): Promise<void>;
  /** Puts the text into the field with this label, in the place of what was in it. */
  fill(label: string, text: string): Promise<void>;
  /** Types into what has the focus. {@link keyNamed} has keys without a character. */
  type(text: string): Promise<void>;
  /** How many have this role and name, as an assistive technology has them. */
  count(role: string, name: string): Promise<number>;
  /** Waits until the page's text has this. */
  shows(text: string): Promise<void>;
  /** The value of an expression in the page, or that of the promise that it is. */
  evaluate(expression: string): Promise<unknown>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  /** Of all pages of this Firefox. */
  emulateMedia(media: { colorScheme: 'light' | 'dark' }): Promise<void>;
  screenshot(): Promise<Buffer>;
}

/** Keys without a character, as WebDriver has them: https://w3c.github.io/webdriver/#keyboard-actions */
export const keyNamed = { Tab: '\uE004', Enter: '\uE007', Control: '\uE009' } as const;

const deadlineMs = 120_000;

interface Found {
  readonly sharedId: string;
}

/** The page in a context; `setTheme` is the browser's. */
export function pageOf(
  bidi: Bidi,
  context: string,
  setTheme: (colorScheme: 'light' | 'dark') => Promise<unknown>,
): FirefoxPage {
  const located = async (role: string, name: string): Promise<Found[]> => {
    const locator = { type: 'accessibility', value: { role, name } };
    return (await bidi.call('browsingContext.locateNodes', { context, locator })).nodes as Found[];
  };
  const isWhole = () => valueIn(bidi, context, "document.readyState === 'complete'");

  const page: FirefoxPage = {
    goto: async (url) =>
      void (await bidi.call('browsingContext.navigate', { context, url, wait: 'complete' })),
    reload: async () => void (await bidi.call('browsingContext.reload', { context, wait: 'complete' })),
    goBack: async () => void (await bidi.call('browsingContext.traverseHistory', { context, delta: -1 })),
    heading: async (name) =>
      void (await meanwhile(`the heading “${name}”`, async () => {
        const isThere = `document.querySelector('h1')?.innerText.trim() === ${JSON.stringify(name)}`;
        return (await isWhole()) === true && (await valueIn(bidi, context, isThere)) === true;
      })),
    async press(role, name) {
      const element = await reach(role, name);
      const move = { type: 'pointerMove', x: 0, y: 0, origin: { type: 'element', element } };
      const press = [move, { type: 'pointerDown', button: 0 }, { type: 'pointerUp', button: 0 }];
      await perform({ type: 'pointer', id: 'mouse', actions: press });
    },
    async fill(label, text) {
      const field = await meanwhile(`a field “${label}”`, () => fieldOf(label));
      await onElement(field, '(element) => { element.focus(); element.select?.(); }');
      await page.type(text);
    },
    async type(text) {
      const actions = [...text].flatMap((value) => [
        { type: 'keyDown', value },
        { type: 'keyUp', value },
      ]);
      await perform({ type: 'key', id: 'keyboard', actions });
    },
    count: async (role, name) => (await located(role, name)).length,
    shows: async (text) =>
      void (await meanwhile(`“${text}” on the page`, async () =>
        String(await valueIn(bidi, context, 'document.body?.innerText')).includes(text),
      )),
    evaluate: (expression) => valueIn(bidi, context, expression),
    setViewportSize: async (viewport) =>
      void (await bidi.call('browsingContext.setViewport', { context, viewport })),
    emulateMedia: async ({ colorScheme }) => void (await setTheme(colorScheme)),
    async screenshot() {
      const { data } = await bidi.call('browsingContext.captureScreenshot', { context });
      return Buffer.from(String(data), 'base64');
    },
  };
  return page;

  /** The first that has it, in the window. */
  function reach(role: string, name: string): Promise<Found> {
    return meanwhile(`${role} “${name}”`, async () => {
      if ((await isWhole()) !== true) return undefined;
      const [first] = await located(role, name);
      if (first === undefined) return undefined;
      await onElement(first, "(element) => element.scrollIntoView({ block: 'center', behavior: 'instant' })");
      return { sharedId: first.sharedId };
    });
  }

  async function fieldOf(label: string): Promise<Found | undefined> {
    if ((await isWhole()) !== true) return undefined;
    const named = `({ innerText }) => innerText.trim() === ${JSON.stringify(label)}`;
    const expression = `[...document.querySelectorAll('label')].find(${named})?.control`;
    const how = { expression, target: { context }, awaitPromise: false };
    const { result } = await bidi.call('script.evaluate', how);
    const { type, sharedId } = (result ?? {}) as { type?: string; sharedId?: string };
    return type === 'node' && sharedId !== undefined ? { sharedId } : undefined;
  }

  function onElement(element: Found, functionDeclaration: string) {
    const { sharedId } = element;
    const how = { functionDeclaration, arguments: [{ sharedId }], awaitPromise: false };
    return bidi.call('script.callFunction', { ...how, target: { context } });
  }

  function perform(source: object) {
    return bidi.call('input.performActions', { context, actions: [source] });
  }

  /** Asks until it is so; a page that goes while it is asked is asked again. */
  function meanwhile<T>(what: string, ask: () => Promise<T>): Promise<Exclude<T, false | undefined>> {
    let last = '';
    return until(
      () => `${what} ${last}`,
      async () => {
        try {
          return (await ask()) as T | undefined;
        } catch (error) {
          if (!(error instanceof BidiError)) throw error;
          last = error.message;
          return undefined;
        }
      },
      { deadlineMs },
    ) as Promise<Exclude<T, false | undefined>>;
  }
}

/** The value of a program in a context, or that of the promise that it is. */
export async function valueIn(bidi: Bidi, context: string, expression: string): Promise<unknown> {
  const target = { context };
  const how = { target, awaitPromise: true, resultOwnership: 'root' };
  const answer = await bidi.call('script.evaluate', { ...how, expression });
  if (answer.type !== 'success') {
    const { text } = answer.exceptionDetails as { text: string };
    throw new BidiError(expression.slice(0, 200), 'javascript error', text);
  }
  const { value, handle } = answer.result as { value?: unknown; handle?: string };
  if (handle === undefined) return value;
  // As JSON, since BiDi's own form of an object is a list of pairs.
  const functionDeclaration = '(value) => JSON.stringify(value)';
  const told = await bidi.call('script.callFunction', {
    ...{ target, awaitPromise: false, functionDeclaration, arguments: [{ handle }] },
  });
  return JSON.parse((told.result as { value: string }).value);
}
