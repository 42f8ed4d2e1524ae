// What it costs to be watched: the rate of one server, alone, and while its admin address is scraped every second and
// has 20 readers of events, of which ten do not read. One of index.ts.
import { once } from 'node:events';
import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { SERVER_CASES } from '../cases.ts';
import { ADMIN_SOCKET, WATCHED_PEER } from '../peers.ts';
import type { FigureCase, FigureRound } from './figure.ts';

const READERS = 20;
const SCRAPE_MS = 1000;

export const watched: FigureCase = {
  title: 'ping, and the same with a scrape a second and 20 readers of events',
  unit: 'messages/s',
  servers: [WATCHED_PEER],

  async measure([name], { servers, seconds, generator, now }) {
    const server = await servers.running(name!);
    const { load } = SERVER_CASES['ping']!;
    const figures = new Map<string, FigureRound>();
    const measure = async (what: string): Promise<void> => {
      now(what);
      const { rate, problems } = await generator.measure(server, load, seconds);
      figures.set(what, { value: rate, problems });
    };
    await measure('unwatched');
    const watchers = await Watchers.begin(join(dirname(server.output), ADMIN_SOCKET));
    await measure('watched');
    const { value, problems } = figures.get('watched')!;
    return figures.set('watched', { value, problems: [...problems, ...watchers.end()] });
  },
};

class Watchers {
  readonly #path: string;
  readonly #readers: ClientRequest[] = [];
  readonly #timer: NodeJS.Timeout;
  #scrapes = 0;
  #frames = 0;

  private constructor(path: string) {
    this.#path = path;
    this.#timer = setInterval(() => void this.#scrape().catch(() => {}), SCRAPE_MS);
  }

  static async begin(path: string): Promise<Watchers> {
    const watchers = new Watchers(path);
    await watchers.#scrape();
    for (let i = 0; i < READERS; i++) await watchers.#read(i % 2 === 0);
    return watchers;
  }

  /** @returns Why the figure does not count. */
  end(): string[] {
    clearInterval(this.#timer);
    for (const reader of this.#readers) reader.destroy();
    const problems = this.#scrapes === 0 ? ['no scrape was answered'] : [];
    return this.#frames < READERS / 2 ? [...problems, 'not every reader was sent something'] : problems;
  }

  async #scrape(): Promise<void> {
    const response = await this.#get('/metrics');
    for await (const _ of response) { /* As Prometheus does: all of it. */ }
    this.#scrapes++;
  }

  async #read(reads: boolean): Promise<void> {
    const response = await this.#get('/events', { Accept: 'text/event-stream' });
    response.on('error', () => {}); // It is ended from here.
    if (reads) response.on('data', () => { this.#frames++; });
  }

  async #get(path: string, headers = {}): Promise<IncomingMessage> {
    const asked = request({ socketPath: this.#path, path, headers, agent: false });
    asked.on('error', () => {});
    this.#readers.push(asked);
    asked.end();
    const [response] = await once(asked, 'response') as [IncomingMessage];
    return response;
  }
}
