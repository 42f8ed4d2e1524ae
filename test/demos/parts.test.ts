// The demos' parts that need no processes: their command line, their texts and their drawings.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseArguments } from '../../demos/stage/arguments.ts';
import { demos } from '../../demos/catalog.ts';
import { outputColumns, wrap } from '../../demos/stage/columns.ts';
import { bars, timeline } from '../../demos/stage/drawing.ts';
import { helpFor, listText } from '../../demos/stage/help.ts';
import { ROOT } from '../helpers/paths.ts';

const CPUS = 4;
const CALL = 'npm run demo --';

function parse(...argv: string[]): ReturnType<typeof parseArguments> {
  return parseArguments(argv, demos, CPUS);
}

test('a demo is run with a worker for each CPU and with all its steps, unless flags say otherwise', () => {
  const optionsOf = (...argv: string[]): unknown => {
    const invocation = parse(...argv);
    return invocation.kind === 'run' ? [invocation.demo.name, invocation.options] : invocation.kind;
  };
  const all = ['no-lock', 'lock', 'half-written'];
  const switches: string[] = [];
  assert.deepEqual(optionsOf('tickets'), ['tickets', { workers: 4, steps: all, switches }]);
  assert.deepEqual(optionsOf('tickets', '--no-lock'), ['tickets', { workers: 4, steps: ['no-lock'], switches }]);
  const seven = optionsOf('--lock', 'tickets', '--workers=7');
  assert.deepEqual(seven, ['tickets', { workers: 7, steps: ['lock'], switches }]);
  assert.deepEqual(optionsOf('pool', '--workers=1', '--workers=2'), ['pool', { workers: 2, steps: [], switches }]);
  assert.deepEqual(optionsOf('watch', '--quick'), ['watch', { workers: 4, steps: [], switches: ['quick'] }]);
});

test('few CPUs are enough for every demo, and many do not flood the screen', () => {
  for (const demo of demos) {
    for (const cpus of [1, 2, 64, 1024]) {
      const invocation = parseArguments([demo.name], demos, cpus);
      assert.ok(invocation.kind === 'run' && invocation.options.workers >= demo.fewest);
      assert.ok(demo.name === 'pool' || invocation.options.workers <= 8);
    }
  }
});

test('help is given whatever else is said, and the list when nothing is', () => {
  assert.equal(parse().kind, 'list');
  assert.equal(parse('--help').kind, 'list');
  assert.equal(parse('-h').kind, 'list');
  assert.equal(parse('tickets', '--nonsense', '--help').kind, 'help');
});

for (const [argv, message] of [
  [['tickts'], /^there is no demo "tickts": did you mean tickets\? \(lifecycle, /],
  [['lock'], /^there is no demo "lock" \(lifecycle, terminal, append, tickets, /],
  [['zebra\x1b[2J'], /^there is no demo "zebra\\u001b\[2J" \(/],
  [['pool', '--lock'], /^pool has no flag "--lock" \(--workers N, --help\)$/],
  [['pool', '--worker', '2'], /^pool has no flag "--worker": did you mean --workers\? \(/],
  [['tickets', '-x'], /^tickets has no flag "-x" \(/],
  [['tickets', '--lock=yes'], /^--lock takes no value, not "yes"$/],
  [['tickets', '--lock', '--no-lock'], /^--no-lock and --lock exclude each other: leave both out to run all there is$/],
  [['tickets', 'pool'], /^unexpected argument "pool": after tickets there are only flags \(/],
  [['--workers', '3'], /^"--workers" needs a demo before it: lifecycle, /],
  [['tickets', '--workers'], /^--workers of tickets needs a value: a whole number from 2 to \d+$/],
  [['tickets', '--workers', '1'], /^--workers of tickets must be a whole number from 2 to \d+, not "1"$/],
  [['scheduler', '--workers', '5'], /^--workers of scheduler must be a whole number from 2 to 4, not "5"$/],
  [['pool', '--workers', '-3'], /^--workers of pool must be .*, not "-3"$/],
  [['pool', '--workers', '2.5'], /, not "2\.5"$/],
  [['pool', '--workers', '100000'], /, not "100000"$/],
] as const) {
  test(`refused in one line: ${JSON.stringify(argv)}`, () => {
    assert.throws(() => parse(...argv), (error: Error) => {
      assert.equal(error.name, 'UsageError');
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  });
}

test('the texts fit into 80 columns, and name the file of each demo', () => {
  const texts = [listText(demos, CALL), ...demos.map((demo) => helpFor(demo, CPUS, CALL))];
  for (const line of texts.join('\n').split('\n')) {
    assert.ok(line.length <= 80, line);
  }
  for (const { name } of demos) {
    const source = readFileSync(join(ROOT, `demos/${name}.ts`), 'utf8');
    assert.match(source, /^\/\/ Teaches .*\n(\/\/.*\n)*\/\/ .*tutorial/, `demos/${name}.ts says what it teaches`);
  }
});

test('a timeline shows each span at its time, the later one in front, and the scale below', () => {
  const drawn = timeline([
    { label: 'a', spans: [{ from: 1000, to: 1050, mark: '░' }, { from: 1050, to: 1100, mark: '█' }] },
    { label: 'long', spans: [{ from: 1100, to: 1100, mark: '▲' }], paint: (text) => `<${text}>` },
    { label: '', spans: [] },
  ], 80).split('\n');
  assert.match(drawn[0]!, /^ {2}a {4}░{36}█{36}$/);
  assert.match(drawn[1]!, /^ {2}long < {71}▲>$/);
  assert.equal(drawn[2]!.trim(), '');
  assert.match(drawn[3]!, /^ {7}0 +100 ms$/);
  assert.ok(drawn.every((line) => line.length <= 81));
});

test('bars are as long as their values, and what is not nothing is seen', () => {
  const drawn = bars([
    { label: 'one', value: 100, text: '100' },
    { label: 'two', value: 50, text: '50' },
    { label: 'three', value: 0.1, text: '0.1' },
    { label: 'four', value: 0, text: '0' },
  ], 80);
  const lengths = drawn.split('\n').map((line) => line.match(/█/g)?.length ?? 0);
  const [whole, half, little, none] = lengths as [number, number, number, number];
  assert.ok(whole > 50 && whole < 79);
  assert.ok(Math.abs(half - whole / 2) <= 1);
  assert.equal(little, 1);
  assert.equal(none, 0);
});

test('bars get a line of their own where labels and texts leave no room beside them', () => {
  assert.equal(bars([
    { label: '32 workers', value: 2, text: '1234 ms, 1024 MB' }, { label: ' 1 worker', value: 1, text: '60 ms, 40 MB' },
  ], 40), `  32 workers 1234 ms, 1024 MB\n  ${'█'.repeat(37)}\n   1 worker 60 ms, 40 MB\n  ${'█'.repeat(19)}`);
});

test('lines that are too long are broken between words, with colours left out of the count', () => {
  assert.equal(wrap('short\n  ░ waits for the lock   █ holds it', 24), 'short\n  ░ waits for the lock\n    █ holds it');
  assert.equal(wrap('\x1b[36mfour word\x1b[39m', 9), '\x1b[36mfour word\x1b[39m');
  assert.equal(wrap('a-word-that-is-too-long-itself and more', 20), 'a-word-that-is-too-long-itself\n  and more');
});

test('what is no terminal has the columns that COLUMNS says, and 80 if it says nothing of use', () => {
  const columns = (value?: string): number => outputColumns(value === undefined ? {} : { COLUMNS: value });
  assert.deepEqual([columns(), columns('60'), columns('7'), columns('wide'), columns('')], [80, 60, 40, 80, 80]);
});

test('each demo says in a line what happens and in a line what to look at', () => {
  for (const { name, happens, look } of demos) {
    assert.ok(happens.length <= 80 && happens.endsWith('.'), `${name}: ${happens}`);
    assert.ok(`Look: ${look}`.length <= 80 && /[.?]$/.test(look), `${name}: ${look}`);
  }
});
