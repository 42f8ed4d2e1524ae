// Clients that go on talking to the server, and notice what happens to them. Used by watch.ts.
import { EchoClient, type Endpoint } from '../../client/echo-client.ts';

const PACE_MS = 400;

interface Guest {
  readonly name: string;
  readonly client: EchoClient;
  replies: number;
  /** The reply that is awaited. */
  asking: Promise<boolean> | undefined;
}

export class Guests {
  readonly #endpoint: Endpoint;
  #all: Guest[] = [];
  #came = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Replies that were not what they should be. */
  wrong = 0;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
  }

  /** How many were cut off. */
  get lost(): number {
    return this.#all.filter(({ client }) => client.closed).length;
  }

  /** One more connects, and talks as the others do. */
  async come(): Promise<void> {
    const name = `client ${++this.#came}`;
    const client = await EchoClient.connect(this.#endpoint);
    const guest: Guest = { name, client, replies: 0, asking: undefined };
    this.#all.push(guest);
    void this.#ask(guest);
    this.#timer ??= setInterval(() => { for (const guest of this.#all) void this.#ask(guest); }, PACE_MS);
  }

  /** One that has been served leaves; it is waited for. */
  async leave(): Promise<void> {
    const isServed = ({ client, replies }: Guest): boolean => replies > 0 && !client.closed;
    while (this.#all.some(({ asking }) => asking !== undefined) && !this.#all.some(isServed)) {
      await Promise.race(this.#all.flatMap(({ asking }) => asking ?? []));
    }
    const guest = this.#all.find(isServed);
    this.#all = this.#all.filter((one) => one !== guest);
    await guest?.client.close();
  }

  /** Those that were cut off connect again. */
  async comeBack(): Promise<void> {
    const { lost } = this;
    this.#all = this.#all.filter(({ client }) => !client.closed);
    for (let i = 0; i < lost; i++) await this.come();
  }

  /** They say nothing more, and wait for the replies that they have not got. */
  async fallSilent(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await Promise.all(this.#all.map(({ asking }) => asking));
  }

  /** Each asks once. @returns How many have the right reply. */
  async allAsk(): Promise<number> {
    await this.fallSilent();
    const right = await Promise.all(this.#all.map((guest) => this.#ask(guest)));
    return right.filter(Boolean).length;
  }

  async goHome(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await Promise.all(this.#all.map(({ client }) => client.close()));
    this.#all = [];
  }

  /** @returns Whether the reply is right; false also when there is none. */
  #ask(guest: Guest): Promise<boolean> {
    const { name, client } = guest;
    if (client.closed) return Promise.resolve(false);
    guest.asking ??= client.send(`${name} says ${guest.replies + 1}`).then((reply) => {
      guest.replies += 1;
      const isRight = reply === `${name} says ${guest.replies}`.toUpperCase();
      if (!isRight) this.wrong += 1;
      return isRight;
    }, () => false).finally(() => { guest.asking = undefined; });
    return guest.asking;
  }
}
