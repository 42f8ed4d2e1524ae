// The pictures of the documentation: that none is old, and that `npm run pictures` makes them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { nodeArgs, ROOT } from '../helpers/paths.ts';
import { ptyMissing } from '../helpers/pty.ts';
import { findBrowser } from '../helpers/web-driver.ts';
import { chartSvg, worksOf } from '../pictures/chart-svg.ts';
import { takePagePictures } from '../pictures/page.ts';
import { isOld, pictures } from '../pictures/pictures.ts';
import { terminalSvg } from '../pictures/terminal-svg.ts';

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'echopool-pictures-'));
after(() => rmSync(folder, { recursive: true }));
const found = findBrowser();
const DEADLINE = { timeout: 240_000 };

for (const picture of pictures) {
  test(`the picture ${picture.name} is of what there is now`, () => {
    assert.ok(!isOld(picture, ROOT), `make it anew: npm run pictures -- ${picture.name}`);
    for (const file of picture.files) assert.ok(readFileSync(join(ROOT, file)).length > 1000, file);
  });
}

test('the chart of docs/speed.md is that of its table, byte for byte', () => {
  const page = readFileSync(join(ROOT, 'docs/speed.md'), 'utf8');
  assert.equal(readFileSync(join(ROOT, 'docs/pictures/speed.svg'), 'utf8'), chartSvg(worksOf(page)));
  const other = page.replace('| 213,000 ', '| 213,001 ');
  assert.notEqual(chartSvg(worksOf(other)), chartSvg(worksOf(page)));
  assert.throws(() => worksOf(page.replace('| 213,000', '| fast')), /"fast" is no figure/);
});

test('a terminal is drawn in columns, with its colours, and nothing in it is markup', () => {
  const drawn = terminalSvg('a <b>&\r\n\x1b[36m██░\x1b[39m \x1b[1mend\x1b[22m\r\n', 'what');
  assert.match(drawn, /<text x="16\.0" [^>]*>a &lt;b&gt;&amp;<\/text>/);
  assert.match(drawn, /<rect x="16\.0" [^>]* width="16\.8" [^>]* opacity="1" class="c36"\/>/);
  assert.match(drawn, /<text x="49\.6" [^>]* class="bold">end<\/text>/);
  assert.match(drawn, /prefers-color-scheme: dark/);
  assert.throws(() => terminalSvg('\x1b[2Jgone', 'what'), /cannot draw/);
});

test('npm run pictures makes the named ones, and says which', { ...DEADLINE, skip: ptyMissing() }, async () => {
  const main = nodeArgs('test/pictures/main.ts');
  const { stdout } = await run(process.execPath, [...main, '--to', folder, 'tickets', 'speed']);
  assert.equal(stdout, 'made docs/pictures/tickets.svg\nmade docs/pictures/speed.svg\n');
  const old = pictures.filter((picture) => isOld(picture, folder)).map(({ name }) => name);
  assert.deepEqual(old, ['semaphore', 'page'], 'those were not made');
  assert.match(readFileSync(join(folder, 'docs/pictures/tickets.svg'), 'utf8'), /without the lock: 100 buyers/);
  const unknown = { code: 2, stderr: /there is no picture 'nothing'/ };
  await assert.rejects(run(process.execPath, [...main, 'nothing']), unknown);
});

test('the page is taken in light and in dark', {
  ...DEADLINE, skip: typeof found === 'string' ? found : false,
}, async () => {
  mkdirSync(join(folder, 'page'));
  const pathOf = (scheme: string): string => join(folder, 'page', `${scheme}.png`);
  await takePagePictures(pathOf, 2);
  const [light, dark] = ['light', 'dark'].map((scheme) => readFileSync(pathOf(scheme)));
  for (const picture of [light!, dark!]) assert.equal(picture.toString('latin1', 1, 4), 'PNG');
  assert.notDeepEqual(light, dark);
});
