// What is to be seen on the page, asked of a browser.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Status } from '../../shared/status/status.ts';
import { portOf, statusOf } from './admin.ts';
import { DEADLINE_MS, startTestServer } from './server.ts';
import type { TestServer } from './server.ts';
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

/** Starts a server of two workers and opens its page. `admin` is the port of its admin address. */
export async function showPage(
  browser: Browser, flags: readonly string[],
): Promise<{ server: TestServer; admin: number }> {
  const server = await startTestServer(['--workers', '2', '--admin', '127.0.0.1:0', ...flags]);
  const [address] = await server.printed(/http:\/\/127\.0\.0\.1:\d+\//);
  await browser.resize(1280, 900);
  await browser.prefer({});
  await browser.open(address);
  await browser.until<string>(TEXT_OF('#phase'), (text) => text === 'ready', 'shown');
  await browser.run(RECORD);
  return { server, admin: portOf(address) };
}

/** Settles when the status is as it is to be, and the page shows the same. */
export async function reached(
  browser: Browser, admin: number, step: string, isIt: (status: Status) => boolean,
): Promise<Status> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const status = await statusOf(admin);
    if (isIt(status) && JSON.stringify(await dotsIn(browser)) === JSON.stringify(dotsOf(status))) return status;
    if (performance.now() > deadline) {
      assert.deepEqual(await dotsIn(browser), dotsOf(status), `${step}: ${JSON.stringify(status)}`);
      assert.fail(`not ${step}: ${JSON.stringify(status)}`);
    }
    await delay(50);
  }
}
