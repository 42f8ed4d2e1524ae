// What is to be seen on the page, asked of a browser.
import type { Browser } from './web-driver.ts';

/** As WebDriver writes them. */
export const KEYS = { space: ' ', left: '\uE012', right: '\uE014', escape: '\uE00C' } as const;

/** A script that gives the text of an element; the empty one when it is not there. */
export const TEXT_OF = (css: string): string =>
  `return document.querySelector(${JSON.stringify(css)})?.textContent ?? ''`;

/** Each connection that has a dot, by number: where it is and how it came there, `worker 1 given back`. */
export async function dotsIn(browser: Browser): Promise<Record<number, string>> {
  const dots = await browser.run<[string, string][]>(`
    return [...document.querySelectorAll('[data-connection]')]
      .map(({ dataset: { connection, at, how } }) => [connection, at + ' ' + how])`);
  return Object.fromEntries(dots);
}
