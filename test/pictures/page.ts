// The pictures of the server's page, in light and in dark: a real server, after a reload, a crash and adoptions. Used
// by pictures.ts. Needs Chromium and chromedriver.
import { writeFileSync } from 'node:fs';
import { reached, showPage } from '../helpers/page-view.ts';
import type { TestServer } from '../helpers/server.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';
import { Browser, findBrowser } from '../helpers/web-driver.ts';

/** As many seconds of the talk are to be seen. */
const SECONDS_SHOWN = 40;

/**
 * @param pathOf Where the picture of a scheme goes.
 * @param seconds How long the clients talk before: a shorter time is for tests.
 * @throws Error There is no browser; or the server did not do what is to be shown.
 */
export async function takePagePictures(
  pathOf: (scheme: 'light' | 'dark') => string, seconds = SECONDS_SHOWN,
): Promise<void> {
  const found = findBrowser();
  if (typeof found === 'string') throw new Error(found);
  await using browser = await Browser.start(found);
  const flags = ['--on-crash', 'adopt', '--connections-per-worker', '14', '--log', 'none', '--admin-actions'];
  const { server, admin } = await showPage(browser, flags);
  await using _ = server;
  const clients = await connectAll(server, 16);
  await reached(browser, admin, 'sixteen', ({ current, line }) => current === 16 && line.waiting === 0);
  server.signal('SIGHUP');
  await reached(browser, admin, 'all given back', ({ connections, workers }) => (
    workers.every(({ state }) => state === 'ready')
    && connections!.every(({ how, at }) => how === 'given back' && at !== 'line')));
  clients.push(...await connectAll(server, 10));
  const before = await reached(browser, admin, 'ten more', ({ current, line }) => (
    current === 26 && line.waiting === 0));
  process.kill(before.workers[0]!.pid, 'SIGKILL');
  await reached(browser, admin, 'some adopted', ({ totals, line, workers }) => totals.adopted > 0 && line.waiting === 0
    && workers.length === 2 && workers.every(({ state }) => state !== 'starting'));
  clients.push(...await connectAll(server, 5));
  const talking = setInterval(() => talk(clients), 100);
  try {
    const LENGTH = 'return document.querySelector(".pace polyline").points.length';
    await browser.until<number>(LENGTH, (length) => length > seconds, 'long enough');
    await browser.devtools('Emulation.setScrollbarsHidden', { hidden: true });
    await browser.resize(1200, 880);
    for (const scheme of ['light', 'dark'] as const) {
      await browser.prefer({ scheme });
      await browser.until<number>('return document.getAnimations().length', (count) => count === 0, 'at rest');
      await browser.run('return new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))');
      writeFileSync(pathOf(scheme), await browser.picture());
    }
  } finally {
    clearInterval(talking);
  }
}

/** Most say something, each at a pace of its own. */
function talk(clients: readonly TestClient[]): void {
  for (const [index, client] of clients.entries()) {
    if (Math.random() * 30 < 3 + index % 7 * (1 + Math.sin(performance.now() / 4000))) client.send('hello\n');
  }
}

async function connectAll({ port }: TestServer, count: number): Promise<TestClient[]> {
  return await Promise.all(Array.from({ length: count }, async () => await connectClient(port)));
}
