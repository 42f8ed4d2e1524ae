// Loads a server that runs, with the generator in C (load.c) where it can be built, and else with the one in TypeScript
// (client/load/main.ts). Called by compare.ts and figures/log-delay.ts.
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LoadReport } from '../../client/load/report.ts';
import { makeText } from '../../client/load/text.ts';
import { nodeArgs } from '../helpers/paths.ts';
import type { Load } from './cases.ts';
import { run, type RunningServer } from './children.ts';
import { buildC } from './compiler.ts';
import { cpuOf, knowsCpu } from './process-tree.ts';

/** One run of the load on one server. */
export interface Round {
  /** Messages or connections a second. */
  readonly rate: number;
  readonly messages: number;
  readonly mbPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** What the server's process tree spent on each, in microseconds of CPU; null where the system does not tell. */
  readonly cpuUs: number | null;
  /** Why the figures do not count. */
  readonly problems: readonly string[];
}

/** What both generators print. */
type Report = Pick<LoadReport, 'rate' | 'messages' | 'mbPerSecond' | 'problems'> & {
  readonly latencyUs: Pick<LoadReport['latencyUs'], 'p50' | 'p99'>;
};

type CommandFor = (load: Load, port: number, seconds: number) => readonly string[];

/** How long a load may take besides the measurement, in milliseconds. */
const LOAD_LIMIT_MS = 30_000;

export class LoadGenerator {
  /** What makes the load, for people. */
  readonly name: string;
  readonly #commandFor: CommandFor;

  private constructor(name: string, commandFor: CommandFor) {
    this.name = name;
    this.#commandFor = commandFor;
  }

  /** The one in C, if it can be built in the folder; else the other, by so many processes. */
  static async inC(folder: string, otherwise: number): Promise<LoadGenerator> {
    const program = join(folder, 'load');
    const absent = await buildC('test/bench/load.c', program);
    if (absent !== undefined) return LoadGenerator.inNode(otherwise, `; ${absent}`);
    return new LoadGenerator('a program in C', (load, port, seconds) => {
      const { connections, size, depth = 1, churn = false } = load;
      const mode = churn ? 'churn' : 'messages';
      return [program, ...[port, connections, depth, seconds, mode, size].map(String), ...filesFor(load, folder)];
    });
  }

  /** @param why Follows the name. */
  static inNode(processes: number, why = ''): LoadGenerator {
    const name = processes === 1 ? `a Node process${why}` : `${processes} Node processes${why}`;
    return new LoadGenerator(name, ({ connections, size, depth = 1, text = 'ascii', churn = false }, port, seconds) => {
      const values = { host: '127.0.0.1', port, seconds, connections, size, depth, text, processes };
      const flags = Object.entries(values).map(([flag, value]) => `--${flag}=${value}`);
      return [process.execPath, ...nodeArgs('client/load/main.ts'), '--json', ...flags, ...churn ? ['--churn'] : []];
    });
  }

  /** @param server A server's process, and where it listens on the loopback. */
  async measure(server: Pick<RunningServer, 'pid' | 'port'>, load: Load, seconds: number): Promise<Round> {
    const before = cpuOf(server.pid);
    const { stdout, stderr } = await run(this.#commandFor(load, server.port, seconds), seconds * 1000 + LOAD_LIMIT_MS);
    const spent = cpuOf(server.pid) - before;
    if (stdout === '') {
      const problems = [stderr.trim() || 'The load generator did not end.'];
      return { rate: 0, messages: 0, mbPerSecond: 0, p50Us: 0, p99Us: 0, cpuUs: null, problems };
    }
    const { rate, mbPerSecond, latencyUs, messages, problems } = JSON.parse(stdout) as Report;
    const cpuUs = knowsCpu && messages > 0 ? spent / messages * 1e6 : null;
    return { rate, messages, mbPerSecond, p50Us: latencyUs.p50, p99Us: latencyUs.p99, cpuUs, problems };
  }
}

/**
 * Files with the messages and with the replies, written when they are first needed, and where in the latter each ends.
 */
function filesFor({ size, text = 'ascii' }: Load, folder: string): [messages: string, replies: string, ends: string] {
  const { messages, replies, replyEnds } = makeText(text, size, 1, 0);
  const files = ['messages', 'replies'].map((what) => join(folder, `${text}-${size}.${what}`)) as [string, string];
  if (!existsSync(files[1])) {
    writeFileSync(files[0], Buffer.concat(messages));
    writeFileSync(files[1], replies);
  }
  return [...files, replyEnds.join()];
}

/** Lines that the logging server had to drop, which make its figures void. @param path Its output. */
export async function droppedLines(path: string): Promise<string[]> {
  let dropped = 0;
  for await (const line of createInterface({ input: createReadStream(path) })) {
    dropped += Number(/ (\d+) lines dropped$/.exec(line)?.[1] ?? 0);
  }
  return dropped > 0 ? [`${dropped} lines of the log were dropped.`] : [];
}
