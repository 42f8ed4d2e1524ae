// README.md and the pages of docs/: what they name, link to and tell the reader to type is there. Their examples are
// run by docs-examples.test.ts, their pictures looked at by pictures.test.ts.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { parseStatusCommand, parseTopCommand } from '../../client/admin/config.ts';
import { parseClientCommand } from '../../client/config.ts';
import { parseLoadCommand } from '../../client/load/config.ts';
import { demos } from '../../demos/catalog.ts';
import { parseArguments } from '../../demos/stage/arguments.ts';
import { parseConfig } from '../../server/config.ts';
import { helpText } from '../../server/help.ts';
import { parseBenchCommand } from '../bench/config.ts';
import { ROOT } from '../helpers/paths.ts';
import { readSettings } from '../soak/settings.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { version: string; scripts: Record<string, string> };
const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`);
const pages = [...readdirSync(ROOT).filter((name) => name.endsWith('.md')), ...docs];

/** Without what is code, in which nothing is a link or a heading. */
function prose(page: string): string {
  return read(page).replace(/^```.*?^```/gms, '').replace(/^ {4}.*$/gm, '').replace(/`[^`\n]*`/g, (code) => (
    code.replace(/[[\]()<>]/g, ' ')));
}

/** What a heading is called in a link, as GitHub does it. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
}

function anchorsOf(page: string): Set<string> {
  return new Set([...prose(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!)));
}

function linksOf(page: string): string[] {
  const found = prose(page).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g);
  return [...found].map(([, link, attribute]) => (link ?? attribute)!).filter((link) => !/^[a-z]+:/.test(link));
}

test('every link of a page leads to a file, and to a heading, that is there', () => {
  const broken = pages.flatMap((page) => linksOf(page).filter((link) => {
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    return !existsSync(join(ROOT, target)) || anchor !== undefined && !anchorsOf(target).has(anchor);
  }).map((link) => `${page}: ${link}`));
  assert.deepEqual(broken, []);
  const all = pages.flatMap(linksOf);
  assert.ok(all.length > 40 && all.some((link) => link.includes('#')), `${all.length} links found`);
});

test('docs/README.md leads to every page', () => {
  const linked = new Set(linksOf('docs/README.md').map((link) => join('docs', link)));
  assert.deepEqual([...pages].filter((page) => !linked.has(page) && page !== 'docs/README.md'), []);
});

test('README.md can be read at once', () => {
  assert.ok(read('README.md').split('\n').length < 250);
});

test('docs/flags.md has every flag of the server, and no other', () => {
  const inHelp = new Set([...helpText().matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag));
  const table = read('docs/flags.md').match(/^\|.*$/gm)!.join('\n');
  assert.deepEqual(new Set([...table.matchAll(/^\| .*?\|/gm)].flatMap(([cell]) => (
    [...cell!.matchAll(/`(--[a-z-]+)[ `]/g)].map(([, flag]) => flag)))), inHelp);
});

const TYPED = /^ {4}(?:\$ )?((?:npm|node|npx) .*)$|`((?:npm|node|npx) [^`\n]*)`/gm;
const CHOICE = / ?\[([^\]]*)\]/g;

/** Commands that a page tells the reader to type: without what is in brackets, and with each choice of it. */
function commandsIn(page: string): string[] {
  const typed = [...read(page).replaceAll('\\|', '|').matchAll(TYPED)];
  const commands = typed.flatMap(([, line, inline]) => (line ?? inline)!.split(/ {3,}|; /)[0]!.split(' && '));
  return commands.flatMap((command) => {
    const plain = command.replace(CHOICE, '').trim();
    const choices = [...command.matchAll(CHOICE)].flatMap(([, choice]) => choice!.split(' | '));
    return [plain, ...choices.map((choice) => `${plain} ${choice}`)];
  });
}

/** What reads the arguments behind `--`, for each script that takes some. It throws, or returns a sentence. */
const READERS: Readonly<Record<string, (args: string[]) => unknown>> = {
  start: (args) => parseConfig(args, { HOSTNAME: 'here' }, 4),
  client: (args) => parseClientCommand(args, {}),
  load: (args) => parseLoadCommand(args, {}),
  status: (args) => parseStatusCommand(args, {}),
  top: (args) => parseTopCommand(args, {}),
  demo: (args) => args[0] === 'NAME' ? undefined : parseArguments(args, demos, 4),
  bench: (args) => parseBenchCommand(args, 4),
  soak: (args) => readSettings(args),
};

/** Why a command is none of ours; undefined when its program understands it. */
function whyNot(command: string): string | undefined {
  if (/^npx echopool\b/.test(command)) return whyNot(asScript(command));
  const words = (command.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'(.*)'$/, '$1'));
  const [, script, dashes, ...args] = /^npm (?:run )?/.test(command)
    ? words.filter((word) => word !== 'run' && !/^-s$|^--silent$/.test(word))
    : /^(?:dist\/server\/main\.js|server\/main\.ts)$/.test(words[1]!) ? ['', 'start', '--', ...words.slice(2)] : [];
  if (script === undefined || /^(?:ci|cit|test|pack|install)$/.test(script)) return undefined;
  if (manifest.scripts[script] === undefined) return `there is no script ${script}`;
  if (dashes === undefined) return undefined;
  if (dashes !== '--') return `npm keeps ${dashes} for itself`;
  const values = args.map((word) => ({ HOST: '127.0.0.1', PORT: '8080', N: '1' }[word] ?? word));
  try {
    const answer = READERS[script]?.(values);
    return typeof answer === 'string' ? answer : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** What does in a clone what the package's command does: `npx echopool load -c 1` is `npm run load -- -c 1`. */
function asScript(command: string): string {
  const [, name, rest = ''] = /^npx echopool(?: ([a-z]\S*))?(?: (.*))?$/.exec(command) ?? [];
  return `npm run ${name === undefined || name === 'serve' ? 'start' : name} -- ${rest}`.trim();
}

test('what a page tells the reader to type is understood by its program', () => {
  assert.match(whyNot('npm start -- --prot 1') ?? '', /--prot/);
  assert.match(whyNot('npm start --port 1') ?? '', /keeps/);
  assert.match(whyNot('npm run lod -- -c 1') ?? '', /no script/);
  assert.match(whyNot('npx echopool --prot 1') ?? '', /--prot/);
  assert.match(whyNot('npx echopool lod -c 1') ?? '', /no script/);
  assert.equal(whyNot('npx echopool load -c 1'), undefined);
  const all = pages.flatMap((page) => commandsIn(page).map((command) => [page, command] as const));
  assert.ok(all.length > 60, `${all.length} commands found`);
  assert.deepEqual(all.flatMap(([page, command]) => {
    const why = whyNot(command);
    return why === undefined ? [] : [`${page}: ${command}: ${why}`];
  }), []);
});

/** Of other programs, which the pages name too. */
const FLAGS_OF_OTHERS = ['--import', '--test', '--max-semi-space-size', '--semi-space-growth-factor'];

/** Whether a program has it: what it says to the bare flag, if anything, is not that it does not know it. */
function isFlag(flag: string): boolean {
  return FLAGS_OF_OTHERS.includes(flag) || Object.keys(READERS).some((script) => (
    !/unknown flag|needs a demo/.test(whyNot(`npm run ${script} -- ${flag}`) ?? '')));
}

test('a flag or a variable that a page names is one of a program', () => {
  assert.ok(isFlag('--grace') && isFlag('--rate') && isFlag('--json') && !isFlag('--prot'));
  const named = new Set(pages.flatMap((page) => (
    [...read(page).matchAll(/`(--[a-z][a-z-]*)|\bECHOPOOL_([A-Z_]*[A-Z])/g)].map(([, flag, variable]) => (
      flag ?? `--${variable!.toLowerCase().replaceAll('_', '-')}`)))));
  assert.ok(named.size > 25, `${named.size} found`);
  assert.deepEqual([...named].filter((flag) => !isFlag(flag)), []);
});

test('docs/lessons.md has every demo with all of its flags', () => {
  const rows = read('docs/lessons.md').match(/^\| .*`npm run demo -- .*$/gm)!.map((row) => row.replaceAll('\\|', '|'));
  for (const { name, steps, switches = [] } of demos) {
    const row = rows.find((text) => new RegExp(`demo -- ${name}[ \`]`).test(text)) ?? assert.fail(`no row of ${name}`);
    assert.ok(row.includes(`demos/${name}.ts`), row);
    for (const { flag } of [...steps, ...switches]) assert.ok(row.includes(`--${flag}`), `${name}: --${flag}`);
  }
  assert.equal(rows.length, demos.length);
});

test('CHANGELOG.md tells of the version of package.json', () => {
  const versions = [...read('CHANGELOG.md').matchAll(/^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$/gm)];
  assert.ok(versions.some(([, version]) => version === manifest.version), manifest.version);
});
