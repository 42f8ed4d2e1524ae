// Spreads the load over processes, when one is too slow for the server. Called by client/load/main.ts; the processes
// run `generate`.

import { describeDeath, currentProcess, Process } from '../../shared/multiprocessing/index.ts';
import type { LoadOptions } from './config.ts';
import { Generator, type Share } from './generator.ts';
import { emptyTally, total, type Tally } from './tally.ts';

/** One process's part of the load; a Generator is one in this very process. */
interface Part {
  readonly messages: number;
  connect(): Promise<void>;
  measure(): Promise<Tally>;
  stop(): void;
}

type ToPart = 'measure' | 'stop';
type FromPart =
  | { readonly type: 'connected' }
  | { readonly type: 'progress'; readonly messages: number }
  | { readonly type: 'done'; readonly tally: Tally };

/** How often a process says how far it is, in milliseconds. */
const PROGRESS_MS = 200;

/** The whole load: all parts begin at the same time, when the last one has connected. */
export class Load {
  readonly #parts: Part[];

  /** @param options `host` is an address. With one process it is this one. */
  constructor(options: LoadOptions) {
    const shares = sharesOf(options);
    this.#parts = shares.length === 1
      ? [new Generator(shares[0]!)]
      : shares.map((share) => new RemotePart(share));
  }

  /** How many messages have been answered so far; of other processes, as far as they have told. */
  get messages(): number {
    return this.#parts.reduce((sum, { messages }) => sum + messages, 0);
  }

  /** Connects, runs the load and ends it. What goes wrong ends the load and is in the tally. */
  async run(): Promise<Tally> {
    await Promise.all(this.#parts.map((part) => part.connect()));
    return total(await Promise.all(this.#parts.map(async (part) => {
      const tally = await part.measure();
      if (tally.wrong !== undefined || tally.failure !== undefined) this.stop();
      return tally;
    })));
  }

  /** Ends it now; {@link run} settles with what has been measured. */
  stop(): void {
    for (const part of this.#parts) part.stop();
  }
}

/** The parts of the load, as even as can be. */
export function sharesOf(options: LoadOptions): Share[] {
  const { processes, connections, messages, rate } = options;
  const partOf = (whole: number, i: number): number => Math.floor(whole / processes) + (i < whole % processes ? 1 : 0);
  let next = 1;
  return Array.from({ length: processes }, (_, i) => {
    const mine = partOf(connections, i);
    const share: Share = {
      ...options, connections: mine, firstConnection: next, allConnections: connections,
      // With a rate it is the schedule that says who has which of the messages.
      messages: messages === undefined || rate !== undefined ? messages : partOf(messages, i),
    };
    next += mine;
    return share;
  });
}

/** A part in a process of its own. */
class RemotePart implements Part {
  messages = 0;
  readonly #process: Process<[Share]>;
  #connected: () => void = () => {};
  readonly #whenConnected = new Promise<void>((resolve) => { this.#connected = resolve; });
  #done: (tally: Tally) => void = () => {};
  readonly #whenDone = new Promise<Tally>((resolve) => { this.#done = resolve; });

  constructor(share: Share) {
    this.#process = new Process({
      module: import.meta.url, target: generate, args: [share], name: `load ${share.firstConnection}`,
    });
    this.#process.start();
    this.#process.channel.listen((message) => this.#hear(message as FromPart));
    void this.#process.ended.then((death) => this.#died(this.#process.error?.message ?? describeDeath(death)));
  }

  connect(): Promise<void> {
    return this.#whenConnected;
  }

  measure(): Promise<Tally> {
    this.#tell('measure');
    return this.#whenDone;
  }

  stop(): void {
    this.#tell('stop');
  }

  #tell(message: ToPart): void {
    this.#process.channel.post(message);
  }

  #hear(message: FromPart): void {
    switch (message.type) {
      case 'connected':
        this.#connected();
        break;
      case 'progress':
        this.messages = message.messages;
        break;
      case 'done':
        this.messages = message.tally.messages;
        this.#done(message.tally);
        break;
    }
  }

  /** After `done` nobody hears this any more. */
  #died(how: string): void {
    this.#connected();
    this.#done({ ...emptyTally(), failure: `A process that made the load is gone: ${how}.` });
  }
}

/** Runs in a process of its own: one share of the load, begun and ended on the word of the program. */
export async function generate(share: Share): Promise<void> {
  // A terminal's Ctrl-C reaches every process of the group: when to stop is the program's word.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  const { parent } = currentProcess();
  const tell = (message: FromPart): void => parent!.post(message);
  const generator = new Generator(share);
  const begin = new Promise<void>((resolve) => parent!.listen((message) => {
    if (message as ToPart === 'stop') generator.stop();
    else resolve();
  }));
  await generator.connect();
  tell({ type: 'connected' });
  await begin;
  const timer = setInterval(() => tell({ type: 'progress', messages: generator.messages }), PROGRESS_MS);
  tell({ type: 'done', tally: await generator.measure() });
  clearInterval(timer);
  parent!.listen(undefined);
}
