// Runs every demo as a process, with and without its lock, and checks the numbers that it prints.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { demos } from '../../demos/catalog.ts';
import { cpuCount } from '../../shared/multiprocessing/index.ts';
import { nodeArgs, ROOT } from '../helpers/paths.ts';
import { ptyMissing, startOnPty } from '../helpers/pty.ts';

const DEADLINE_MS = 60_000;
const limit = { timeout: DEADLINE_MS };
/** How many processes play each demo here: the fewest with which all of them show what they should. */
const TWO = ['--workers', '2'];

/** The temporary folder of all that is run here; so it also tells the processes that belong to these tests. */
const folder = mkdtempSync(join(tmpdir(), 'demos-test-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param onOutput Is called with what was printed, and what sends SIGINT: to the main process, or to all. */
async function demo(
  args: string[], onOutput?: (signal: (toAll: boolean) => void, text: string) => void, columns = '80',
): Promise<Run> {
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = spawn(process.execPath, [...nodeArgs('demos/main.ts'), ...args], {
    cwd: ROOT, env: { ...env, TMPDIR: folder, COLUMNS: columns }, stdio: ['ignore', 'pipe', 'pipe'], detached: true,
  });
  const signal = (toAll: boolean): void => void process.kill(toAll ? -child.pid! : child.pid!, 'SIGINT');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    onOutput?.(signal, text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  await nothingIsLeft();
  return { code, stdout, stderr };
}

/** No process runs any more, and nothing is in the temporary folder but tsx's own cache. */
async function nothingIsLeft(): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  for (let left = processes(); left.length > 0; left = processes()) {
    assert.ok(Date.now() < deadline, `still running: ${left.join('\n')}`);
    await sleep(10);
  }
  assert.deepEqual(readdirSync(folder).filter((name) => !name.startsWith('tsx-')), []);
}

/** The command lines of the processes that have our temporary folder. Without /proc there is no telling. */
function processes(): string[] {
  const pids = process.platform === 'linux' ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : [];
  return pids.flatMap((pid) => {
    try {
      const isOurs = readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`TMPDIR=${folder}\0`);
      return isOurs ? [`${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`] : [];
    } catch {
      return []; // It has ended meanwhile, or is another user's.
    }
  });
}

/** A demo says first what happens and what to look at, and explains every sign that it draws with. */
function assertExplained(name: string, stdout: string): void {
  const { happens, look } = demos.find((one) => one.name === name)!;
  const words = stdout.replace(/\n +/g, ' ');
  assert.ok(words.startsWith(`${happens}\nLook: ${look}\n`), stdout);
  for (const sign of new Set(stdout.match(/[░█▲▣□]/g))) {
    assert.match(words, new RegExp(`${sign} [a-z]`), `${sign} is explained`);
  }
}

/** The text with each line whole again that was broken because it had no room in the columns. */
function carriedBack(text: string, columns: number): string {
  const lines: string[] = [];
  let indent = 0;
  let above = '';
  for (const line of text.split('\n')) {
    const [, spaces, word] = /^( *)((?:[^\x00-\x7f] )?\S*)/.exec(line) as unknown as [string, string, string];
    if (spaces.length === indent + 2 && above.length + 1 + word.length > columns) {
      lines.push(`${lines.pop()} ${line.trim()}`);
    } else {
      lines.push(line);
      indent = spaces.length;
    }
    above = line;
  }
  return lines.join('\n');
}

/**
 * Runs a demo that shows what it should, and finds the numbers in its output: one for each group of the pattern.
 * What is carried over to the next line in narrow columns is one line in the text that is given back.
 * @param columns How many it may have. Pictures and words are made for any width, and 40 is the hardest; three have 80.
 */
async function shown(
  args: string[], pattern: RegExp, columns = 40,
): Promise<{ numbers: number[]; stdout: string }> {
  const { code, stdout, stderr } = await demo(args, undefined, String(columns));
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' }, stdout);
  const tooLong = stdout.split('\n').find((line) => line.length > columns);
  assert.equal(tooLong, undefined, `a line has more than ${columns} columns`);
  assertExplained(args[0]!, stdout);
  const text = columns < 80 ? carriedBack(stdout, columns) : stdout;
  const match = pattern.exec(text);
  assert.ok(match !== null, `${pattern} is not in\n${stdout}`);
  return { numbers: match.slice(1).map(Number), stdout: text };
}

/** The blocks of the terminal demo whose lines do not follow one another on the screen. */
function tornOnScreen(screen: string): number {
  const blocks = [...screen.matchAll(/^ {2}[┌│└] (worker \d+, block \d+)/gm)].map(([, block]) => block);
  return [...new Set(blocks)].filter((block) => blocks.lastIndexOf(block) - blocks.indexOf(block) !== 2).length;
}

test('lifecycle: all that start are joined, exit codes tell how, daemons end with their parent', limit, async () => {
  const { code, stdout, stderr } = await demo(['lifecycle', ...TWO]);
  assert.equal(code, 0, stderr);
  assertExplained('lifecycle', stdout);
  assert.match(stdout, /2 talkers started and joined: 2 exit codes of 0\n5 ways to end: exit codes 0, 3, 1, -15, -9\n/);
  assert.match(stdout, /the parent waited for its ordinary child; its daemon ended with it\n$/);
  assert.match(stdout, /before start\(\): isAlive false, exitCode null/);
  assert.match(stdout, /after start\(\): {2}isAlive true, exitCode null/);
  assert.match(stderr, /^throws failed: RangeError: no more words\n/);
});

test('terminal: without the lock every block is torn, and the screen says so too', limit, async () => {
  const { numbers, stdout } = await shown(
    ['terminal', '--no-lock', ...TWO], /^without the lock: (\d+) blocks printed, (\d+) torn$/m, 80,
  );
  assert.deepEqual(numbers, [4, 4]);
  assert.equal(tornOnScreen(stdout), 4);
  assert.doesNotMatch(stdout, /with +the lock:/);
});

test('terminal: with the lock every block is whole', limit, async () => {
  const { numbers, stdout } = await shown(
    ['terminal', '--lock', ...TWO], /^with +the lock: (\d+) blocks printed, (\d+) torn$/m,
  );
  assert.deepEqual(numbers, [4, 0]);
  assert.equal([...stdout.matchAll(/^ {2}[┌│└] worker/gm)].length, 12);
  assert.equal(tornOnScreen(stdout), 0);
  assert.doesNotMatch(stdout, /without the lock:/);
});

test('append: at their own ends processes lose lines; appending, each task has one', limit, async () => {
  const { numbers, stdout } = await shown(
    ['append', ...TWO], /own ends: (\d+) in the file, (\d+) lost\n.*appending: (\d+) in the file, (\d+) lost$/m,
  );
  assert.deepEqual(numbers, [50, 50, 100, 0]);
  const rows = /^2\. open.*\n([ \d\n]+) each number/m.exec(stdout)![1]!;
  const appended = rows.trim().split(/\s+/).map(Number);
  assert.deepEqual(appended.sort((a, b) => a - b), Array.from({ length: 100 }, (_, task) => task));
});

test('tickets: each process sells one, with the lock one does; a kill halves a file only in place', limit, async () => {
  // Without a flag both versions are run, the wrong one first.
  const { numbers, stdout } = await shown(['tickets', ...TWO], new RegExp(
    '^without the lock: 100 buyers, 1 ticket, (\\d+) sold: (\\d+) too many\n' +
    'with +the lock: 100 buyers, 1 ticket, (\\d+) sold: exact$', 'm',
  ));
  const [sold, tooMany, soldWithLock] = numbers as [number, number, number];
  assert.ok(sold >= 2 && sold <= 100);
  assert.equal(tooMany, sold - 1);
  assert.equal(soldWithLock, 1);
  const tickets = [...stdout.matchAll(/100 buyers came; (\d+) with a ticket now; 0 left, says the file/g)];
  assert.deepEqual(tickets.map(([, count]) => Number(count)), [sold, 1]);
  assert.match(stdout, /writing in place\s+\{"cou +no JSON any more\n.*renam.* +\{"count":1\} +whole, as before\n/);
});

test('scheduler: with no terminal it plays itself: sold 3 times, with the lock once', limit, async () => {
  const sold = /without the lock: 1 ticket, sold 3 times\nwith +the lock: 1 ticket, sold once$/m;
  const { stdout } = await shown(['scheduler', '--workers', '3'], sold);
  assert.match(stdout.replace(/\n +/g, ' '), /There is no terminal for your keys: it plays by itself/);
});

test('event: guests who guess find nothing, those who wait for the event all eat', limit, async () => {
  const { numbers } = await shown(['event', ...TWO], new RegExp(
    '^without the event: (\\d+) guests, (\\d+) found nothing\\n'
    + 'with +the event: (\\d+) guests, (\\d+) found nothing$', 'm',
  ));
  assert.deepEqual(numbers, [2, 2, 2, 0]);
});

test('semaphore: never more inside than there are places; one that dies inside loses none', limit, async () => {
  const { numbers, stdout } = await shown(['semaphore', '--workers', '3'], new RegExp(
    '^without the semaphore: 3 cars, 2 places, (\\d+) inside at most: (\\d+) too many\n'
    + 'with +the semaphore: 3 cars, 2 places, (\\d+) inside at most: (\\d+) too many$', 'm',
  ));
  const [crowded, tooMany, most, none] = numbers as [number, number, number, number];
  assert.deepEqual([crowded, tooMany, none], [3, 1, 0]);
  assert.ok(most <= 2);
  assert.match(stdout, /car 1 is inside: 0 places are free\n.*is told: car 1 \(pid \d+\) was ended by SIGKILL\n/);
  assert.match(stdout, /^a car broke down inside: 1 of 1 places free in the end; the next car was told$/m);
});

test('barrier: without it stones are missing, with it none; who waits for the dead learns of it', limit, async () => {
  const { numbers } = await shown(['barrier', ...TWO], new RegExp(
    '^without the barrier: (\\d+) looks, (\\d+) found stones missing\n'
    + 'with +the barrier: (\\d+) looks, (\\d+) found stones missing\n'
    + 'a worker killed on its way: (\\d+) of (\\d+) others were told who died$', 'm',
  ));
  const [looks, missing, ...rest] = numbers as [number, number, ...number[]];
  assert.equal(looks, 6);
  assert.ok(missing >= 3);
  assert.deepEqual(rest, [6, 0, 1, 1]);
});

test('queue-limits: a full queue refuses or makes wait, and bounds what piles up', limit, async () => {
  const { numbers, stdout } = await shown(
    ['queue-limits', ...TWO],
    /no bound: +(\d+) of 40 things piled up, (\d+) of 40 arrived\nmaxsize 3: (\d+) of 40 things piled up, (\d+) of/, 80,
  );
  assert.deepEqual(numbers, [40, 40, 3, 40]);
  assert.match(stdout, /putNowait of thing 4: QueueFull; getNowait when empty: QueueEmpty\n/);
  assert.match(stdout, /put into the full queue: settled only after a get\n/);
  assert.match(stdout, /put\('c'\) .* qsize 3 {2}empty false {2}full true\n/);
  assert.match(stdout, /gave 'c' .* qsize 0 {2}empty true {3}full false\n/);
  assert.match(stdout, /2 of 2 producers wait\n/);
});

test('producer-consumer: consumers that nobody tells wait for ever; sentinels or close end them', limit, async () => {
  const { stdout } = await shown(['producer-consumer', ...TWO], /200 ms later no consumer has ended/);
  assert.match(stdout, /^nobody tells +: 10 of 10 used, 0 of 2 consumers ended, 2 still waiting$/m);
  assert.match(stdout, /^sentinels +: 10 of 10 used, 2 of 2 consumers ended, main left 3 behind$/m);
  assert.match(stdout, /^sentinels, join: 10 of 10 used, 2 of 2 consumers ended, main was last$/m);
  assert.match(stdout, /^close, join +: 10 of 10 used, 2 of 2 consumers ended, main was last$/m);
});

test('joinable: join is the end of the work, an empty queue is not; daemons end with the program', limit, async () => {
  const { numbers } = await shown(
    ['joinable', ...TWO],
    /empty: (\d+) of 10 things done, (\d+) not done; no daemon left\n.* join: (\d+) of 10 things done, (\d+) not/,
  );
  const [seen, missing, joined, left] = numbers as [number, number, number, number];
  assert.ok(seen < 10);
  assert.equal(seen + missing, 10);
  assert.deepEqual([joined, left], [10, 0]);
});

test('shared-dict: all fill both; get and set lose counts, lock, increment do not', limit, async () => {
  const { numbers, stdout } = await shown(
    ['shared-dict', ...TWO], /^(\d+) processes: (\d+) pids in the list, (\d+) in the dict$/m,
  );
  assert.deepEqual(numbers, [2, 2, 2]);
  assert.match(stdout, /after start\(\): the list:\s+init\s/);
  assert.match(stdout, /^without the lock: 20 of 40 counted, 20\s+lost$/m);
  assert.match(stdout, /^with the lock +: 40 of 40 counted, 0\s+lost$/m);
  assert.match(stdout, /^with increment +: 40 of 40 counted, 0\s+lost$/m);
});

test('pool: every pool finds the same, and its time and speed-up are told', limit, async () => {
  const { numbers, stdout } = await shown(['pool', ...TWO], /^(\d+) primes with every pool$/m);
  assert.deepEqual(numbers, [121_127]);
  const rows = stdout.matchAll(/(\d+) workers?(?: = CPUs)? +(?:█+ +)?(?:× \d+\.\d|\d+ ms)/g);
  const sizes = [...rows].map(([, size]) => Number(size));
  const pictures = 3;
  const inOne = sizes.slice(0, sizes.length / pictures);
  assert.deepEqual(sizes, Array.from({ length: pictures }, () => inOne).flat());
  assert.equal(stdout.match(/█{2,}/g)?.length, sizes.length);
  assert.equal(sizes[0], 1);
});

test('clients: as many as there are workers are served at once, others wait, nobody is lost', limit, async () => {
  const { numbers, stdout } = await shown(
    ['clients', '--workers', '1'],
    /^(\d+) clients, (\d+) workers: never more than (\d+) served at once, (\d+) had to wait$/m,
  );
  assert.deepEqual(numbers, [3, 1, 1, 2]);
  assert.match(stdout, /the server says: 3 served, 0 refused, 0 cut off\n/);
  assert.match(stdout, /^9 messages, 9 right replies: 0 clients lost$/m);
  assert.match(stdout, /all 3 are connected; 1 have a reply, and the other 2 wait\n/);
});

test('watch: what it announces is what /status says, and only a crash without adopt loses clients', limit, async () => {
  const { numbers, stdout } = await shown(
    ['watch', '--quick', ...TWO], /^(\d+) of (\d+) things went as they should; (\d+) wrong replies$/m,
  );
  assert.deepEqual(numbers, [5, 5, 0]);
  const places = cpuCount() === 1 ? 11 : 5;
  const room = places * Math.min(2, cpuCount());
  assert.match(stdout, /^Open http:\/\/127\.0\.0\.1:\d+\/ in a browser\.$/m);
  assert.match(stdout, new RegExp(`room for ${room} in all[^]*worker 1 has ${places}[^]*; ${12 - room} wait\n`));
  assert.match(stdout, /clients moved, 0 lost; all \d workers are new\n/);
  assert.match(stdout, new RegExp(`/status: ${places} cut off; a new worker 1 is there`));
  assert.match(stdout, /\/status: \d+ adopted, 0 cut off; 12 of 12 are answered as before\n/);
});

test('watch --keep goes on at the end until Ctrl-C, and leaves nothing', limit, async () => {
  let isSent = false;
  let seen = '';
  const { code, stdout, stderr } = await demo(['watch', '--quick', '--keep', ...TWO], (signal, text) => {
    seen += text;
    if (isSent || !seen.includes('goes on until Ctrl-C')) return;
    isSent = true;
    signal(true);
  });
  assert.deepEqual({ code, stderr }, { code: 130, stderr: '' }, stdout);
});

for (const [name, toAll] of [
  ['tickets', false], ['append', true], ['joinable', true], ['clients', true], ['watch', true],
] as const) {
  const whom = toAll ? 'all processes' : 'the main process';
  test(`${name} ends at SIGINT to ${whom} without leftovers`, limit, async () => {
    let isSent = false;
    const { code, stderr } = await demo([name, ...TWO], (signal) => {
      if (isSent) return;
      isSent = true;
      signal(toAll);
    });
    assert.deepEqual({ code, stderr }, { code: 130, stderr: '' });
  });
}

// The second is also the step that is run alone: of the others terminal's tests and those of the command line tell.
for (const [what, args, env, sees] of [
  ['a demo fits it, in colour', ['queue-limits', ...TWO], {}, /▣▣▣ {2}qsize 3/],
  [
    'one step alone fits it, without colours for NO_COLOR',
    ['tickets', '--half-written'], { NO_COLOR: '1' }, /half a\s+file in place/,
  ],
] as const) {
  test(`on a terminal of 40 columns ${what}`, { ...limit, skip: ptyMissing() }, async () => {
    const program = [process.execPath, ...nodeArgs('demos/main.ts'), ...args];
    const { NO_COLOR: _color, COLUMNS: _columns, NODE_TEST_CONTEXT: _context, ...rest } = process.env;
    const pty = startOnPty(
      ['sh', '-c', 'stty cols 40; exec "$@"', 'sh', ...program], { ...rest, ...env, TMPDIR: folder },
    );
    const { exitCode } = await pty.ended;
    assert.equal(exitCode, 0, pty.screen());
    const plain = pty.screen().replace(/\x1b\[\d+m/g, '');
    assert.equal(plain === pty.screen(), 'NO_COLOR' in env);
    assert.deepEqual(plain.split('\r\n').filter((line) => line.length > 40), []);
    assert.match(plain, sees);
    assert.doesNotMatch(plain, /the lock/);
  });
}

test('without a name every demo is listed with a line, and --help says what to look at', limit, async () => {
  const list = await demo([]);
  assert.equal(list.code, 0);
  const lines = list.stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
  for (const { name, summary } of demos) assert.ok(lines.some((line) => line[0] === name && line[1] === summary), name);
  const help = await demo(['tickets', '--help']);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /Look how many have bought[^]*--workers N[^]*--no-lock[^]*--lock/);
});

test('a wrong flag gets one clear line and exit code 2', limit, async () => {
  const flags = '(--workers N, --no-lock, --lock, --half-written, --help)';
  assert.deepEqual(await demo(['tickets', '--lok']), {
    code: 2, stdout: '', stderr: `demo: tickets has no flag "--lok": did you mean --lock? ${flags}\n`,
  });
});
