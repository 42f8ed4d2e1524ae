// How long after its sending a message is a whole line of the log file, while the load generator does what it can; and
// whether every message is there. One of index.ts.
import { closeSync, openSync, readSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { SERVER_CASES } from '../cases.ts';
import { droppedLines } from '../load.ts';
import { auditLog, GrowingLog, MARK, problemsOf } from '../log-file.ts';
import { LOGGING_PEER } from '../peers.ts';
import type { FigureCase } from './figure.ts';

/** Messages a second whose lines are looked for: often enough for a 99th percentile, rarely enough not to count. */
const MARKS_A_SECOND = 200;
const LOOK_MS = 5;
/** How long after the load the last lines are waited for. */
const LAST_LINES_MS = 2000;
/** What the load may have in flight when its time is up: one message a connection. */
const CONNECTIONS = 64;

export const logDelay: FigureCase = {
  title: 'from sending to the whole line in the log file under full load, p99',
  unit: 'ms',
  servers: [LOGGING_PEER],

  async measure([name], { servers, seconds, generator, now }) {
    now(name!);
    const server = await servers.running(name!);
    const from = statSync(server.output).size;
    const marks = new Marks(server.output, from);
    await marks.begin(server.port);
    const load = await generator.measure(server, SERVER_CASES['ping']!.load, seconds);
    await marks.end();
    const audit = auditLog(readFileSync(server.output).subarray(from).toString('latin1'));
    const problems = [
      ...load.problems, ...problemsOf(audit, marks.sent, load.messages, CONNECTIONS),
      ...await droppedLines(server.output),
    ];
    return new Map([[name!, { value: marks.p99(), problems }]]);
  },
};

/** Numbered messages on a connection of their own, and the reader of the file. */
class Marks {
  readonly #file: number;
  readonly #log = new GrowingLog();
  readonly #piece = Buffer.allocUnsafe(1024 * 1024);
  readonly #sentAt: number[] = [];
  readonly #delays: number[] = [];
  #at: number;
  #timers: NodeJS.Timeout[] = [];

  constructor(path: string, from: number) {
    this.#file = openSync(path, 'r');
    this.#at = from;
  }

  get sent(): number {
    return this.#sentAt.length;
  }

  async begin(port: number): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    // One in flight: two that come together would be one line.
    let owed = 0;
    socket.on('error', () => {}).on('data', ({ length }) => { owed -= length; });
    const send = (): void => {
      if (owed > 0) return;
      const message = `${MARK}${this.#sentAt.length}`;
      owed = message.length;
      socket.write(message);
      this.#sentAt.push(performance.now());
    };
    this.#timers = [setInterval(send, 1000 / MARKS_A_SECOND), setInterval(() => this.#look(), LOOK_MS)];
    this.#stopSending = () => {
      clearInterval(this.#timers[0]);
      socket.end();
    };
  }
  #stopSending: () => void = () => {};

  /** Waits for the last lines. */
  async end(): Promise<void> {
    this.#stopSending();
    const deadline = performance.now() + LAST_LINES_MS;
    while (this.#delays.length < this.sent && performance.now() < deadline) await delay(LOOK_MS);
    await delay(LAST_LINES_MS / 10); // For the lines of the load.
    clearInterval(this.#timers[1]);
    closeSync(this.#file);
  }

  /** In milliseconds. A line that never came has taken for ever. */
  p99(): number {
    const missing = Array<number>(this.sent - this.#delays.length).fill(Infinity);
    const sorted = [...this.#delays, ...missing].toSorted((a, b) => a - b);
    return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Infinity;
  }

  #look(): void {
    for (;;) {
      const length = readSync(this.#file, this.#piece, 0, this.#piece.length, this.#at);
      if (length === 0) return;
      this.#at += length;
      const now = performance.now();
      for (const number of this.#log.add(this.#piece.toString('latin1', 0, length))) {
        this.#delays.push(now - this.#sentAt[number]!);
      }
    }
  }
}
