// What is to be seen on the page, asked of a browser.
import type { Status } from '../../shared/status/status.ts';
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

/** The same of a status. */
export function dotsOf({ connections }: Status): Record<number, string> {
  return Object.fromEntries((connections ?? []).map(({ id, at, how }) => [id, `${at} ${how}`]));
}

/** A script after which the page notes where each dot has been (`window.travels`), and who was cut off (`cutOff`). */
export const RECORD = `
  window.travels = {};
  window.cutOff = [];
  new MutationObserver((changes) => {
    for (const { target: { dataset }, attributeName } of changes) {
      if (attributeName === 'data-cut-off') window.cutOff.push(dataset.cutOff);
      else if (dataset.connection) (window.travels[dataset.connection] ??= []).push(dataset.at + ' ' + dataset.how);
    }
  }).observe(document.querySelector('#dots'), {
    subtree: true, attributes: true, attributeFilter: ['data-at', 'data-how', 'data-cut-off'],
  });`;
