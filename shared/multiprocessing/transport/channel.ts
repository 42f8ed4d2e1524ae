// One fork channel, seen from either end: what is posted within a turn of the event loop travels as one message.
// Process and child.ts make one each; the router sends envelopes over it, the server its own messages and sockets.
import type { SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';
import { decode, encode, isEncoded, type Encoded } from '../values/codec.ts';
import { attachTo } from './router.ts';
import { Fifo } from '../base/fifo.ts';
import { closeUnheard, tellForeign, tellUnreadable } from './foreign.ts';
import { copyPlain, NOT_PLAIN } from '../values/plain.ts';
import type { Port } from './port.ts';
import { tellNow } from './turn.ts';
import { isItem, numberOf, WireReader, WireWriter } from './wire.ts';
import type { Direct, Envelope, Item, Message } from './wire.ts';

export type { Envelope, Port };

/** What needs neither a copy nor a look before it is sent. */
type Short = readonly (number | string | boolean | null)[];

/** What came as one message, and how far it was taken in. */
interface Batch {
  readonly items: Item[];
  readonly socket: Socket | undefined;
  taken: number;
}

/** Hears what the process at the other end posts or sends. The socket is missing when it was destroyed on the way. */
export type ChannelListener = (message: unknown, socket: Socket | undefined) => void;

/** For so long a message may wait that is in no hurry. */
const LATER_MS = 1;
const KEEP_OPEN = { keepOpen: true };

export class Channel {
  readonly #port: Port;
  readonly #onEnvelope: (envelope: Envelope) => void;
  readonly #onPosted: (body: Encoded) => void;
  readonly #writer = new WireWriter();
  readonly #reader = new WireReader();
  #scheduled = false;
  /** Whether something may wait that is in no hurry, until the timer is up. */
  #waits = false;
  #waitTimer: NodeJS.Timeout | undefined;
  /** How many messages were given to Node, and how many of them, the first ones, to the system. */
  #sent = 0;
  #settled = 0;
  /** Node calls back in the order of sending. */
  readonly #oneMoreSettled = (): void => this.#settle(Math.min(this.#settled + 1, this.#sent));
  /** Those between the two, in order. */
  readonly #underWay = new Fifo<Message>();
  #divert: ((message: Message) => void) | undefined;
  /** The number of the last message that came from the other end. */
  #received = 0;
  #whenTaken: (() => void) | undefined;
  /** Whoever waits for that, the one for the earliest message first. */
  readonly #waiters = new Fifo<{ readonly awaited: number; call(): void }>();
  readonly #inbox: Batch[] = [];
  /** Decoded when they are heard: a child has then loaded what the primitives in them need. */
  readonly #early = new Fifo<[Direct, Socket | undefined]>();
  #listener: ChannelListener | undefined;
  #isForGood = false;
  #passedOver = 0;

  /** @param onEnvelope Gets each envelope that arrives, in order. @param onPosted Hears of posted clones. */
  constructor(port: Port, onEnvelope: (envelope: Envelope) => void, onPosted: (body: Encoded) => void = () => {}) {
    this.#port = port;
    this.#onEnvelope = onEnvelope;
    this.#onPosted = onPosted;
    port.on('message', (message: unknown, handle: SendHandle | undefined) => {
      this.#read(message, handle);
      this.#takeIn();
    });
  }

  /** How many messages, or items in them, were passed over: they were not the toolkit's, or could not be read. */
  get passedOver(): number {
    return this.#passedOver;
  }

  /**
   * Sets who hears the messages for this process: at once, in order, those that came when nobody did.
   * @param forGood For Pool: nobody takes its place after this.
   */
  listen(listener: ChannelListener | undefined, forGood = false): void {
    if (this.#isForGood) return;
    this.#isForGood = forGood;
    this.#listener = listener;
    this.#hear();
  }

  /**
   * Posts a message to the process at the other end: a clone of what it is now; the toolkit's primitives may be in it.
   * Order is kept. It arrives even if this process calls process.exit() at once, or throws; it may be lost if a signal
   * ends this process before {@link flushed} has settled, or if that process dies.
   * @throws {NotCloneable} It holds a function, a socket …
   */
  post(message: unknown): void {
    tellNow();
    this.#push(this.#direct(message));
  }

  /**
   * Sends a message with a socket, of which this process keeps its own copy.
   * Settles when the message was given to the system, which does not say that it arrived, or the channel is closed.
   * Send the next socket only after the other end has answered for this one: Node has one in flight per child,
   * and whatever queues behind it is lost when the child dies.
   * @throws {NotCloneable} The message holds a function, a socket …
   */
  async sendSocket(message: unknown, socket: Socket): Promise<void> {
    const item = this.#direct(message);
    this.flush();
    this.#writer.add(item);
    this.#sendWith(socket);
    await this.flushed();
  }

  /** For Process and Pool: posts plain data that nobody else has or will change, and which therefore needs no copy. */
  postOwn(message: object): void {
    tellNow();
    this.#push([message, true]);
  }

  /** For the server: such data, a few numbers and short texts, with a socket, as {@link sendSocket} does. */
  sendOwn(message: Short, socket: Socket): void {
    this.flush();
    this.#writer.addShort([message, true]);
    this.#sendWith(socket);
  }

  /** For the server: such data that is in no hurry goes with the next message that is, or a moment later. */
  postLater(message: Short): void {
    tellNow();
    if (this.#writer.addShort([message, true])) return this.flush();
    if (this.#waits) return;
    this.#waits = true;
    this.#waitTimer ??= setTimeout(() => {
      this.#waits = false;
      this.flush();
    }, LATER_MS);
    this.#waitTimer.refresh();
  }

  /** For the router: passes an envelope on. */
  pass(envelope: Envelope): void {
    this.#push(envelope);
  }

  /** Settles when all that was posted so far was given to the system, or the channel is closed. */
  flushed(): Promise<void> {
    return new Promise((resolve) => this.whenFlushed(resolve));
  }

  /** The same by a call, which takes less. */
  whenFlushed(call: () => void): void {
    this.flush();
    if (this.#settled === this.#sent) call();
    else this.#waiters.push({ awaited: this.#sent, call });
  }

  /** Gives all that was posted to the system now, as far as it has room: for a process that is about to end. */
  flush(): void {
    this.#scheduled = false;
    if (this.#writer.isEmpty) return;
    for (const message of this.#writer.take()) this.#send(message, undefined);
  }

  /**
   * For Process: the other end is gone. Node forgets the callbacks of what was waiting behind a socket on its way, and
   * then does not even say 'disconnect'.
   */
  abandon(): void {
    this.#settle(this.#sent);
  }

  /**
   * For a process that exits: from now on every message goes this way, at once; first those that Node may drop.
   */
  divert(write: (message: Message) => void): void {
    this.flush();
    this.#divert = write;
    for (const message of this.#underWay) write(message);
  }

  /**
   * For Process: the other end has exited, and nothing more will come. Takes in what came another way and not over the
   * channel, and then calls `done`.
   */
  takeLast(messages: readonly unknown[], done: () => void): void {
    for (const message of messages) if ((numberOf(message) ?? 0) > this.#received) this.#read(message, undefined);
    this.#whenTaken = done;
    this.#takeIn();
  }

  #direct(message: unknown): Direct {
    const plain = copyPlain(message);
    if (plain !== NOT_PLAIN) return [plain, true];
    const body = encode(message, 'the message');
    this.#onPosted(body);
    return [body];
  }

  #push(item: Item): void {
    if (this.#writer.add(item) || this.#divert !== undefined) return this.flush();
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => this.flush());
  }

  /** All that is written, and the socket with the last of it. */
  #sendWith(socket: Socket): void {
    const messages = this.#writer.take();
    const last = messages.pop()!;
    for (const message of messages) this.#send(message, undefined);
    this.#send(last, socket);
  }

  #send(message: Message, socket: Socket | undefined): void {
    const number = ++this.#sent;
    message[0].n = number;
    this.#underWay.push(message);
    if (this.#divert !== undefined) this.#divert(message);
    // An error here says that the other end is gone; that is told once, with its reason, by the child's 'exit'.
    else if (this.#port.connected) this.#port.send!(message, socket, KEEP_OPEN, this.#oneMoreSettled);
    else process.nextTick(() => this.#settle(number));
  }

  #settle(number: number): void {
    for (; this.#settled < number; this.#settled++) this.#underWay.shift();
    while (this.#waiters.length > 0 && this.#waiters.at(0)!.awaited <= this.#settled) this.#waiters.shift()!.call();
  }

  /** Anybody may send over the port: a target or a library with process.send(), Node itself in its watch mode. */
  #read(message: unknown, handle: SendHandle | undefined): void {
    // One that was forged is out of turn, or takes the place of one that then is.
    if (numberOf(message) === this.#received + 1) this.#received++;
    const read = this.#reader.read(message);
    const items = read.every(isItem) ? read : read.filter(isItem);
    if (items.length < read.length) {
      this.#passedOver += read.length - items.length;
      tellForeign(message);
    }
    if (items.length > 0) {
      this.#inbox.push({ items, socket: handle as Socket | undefined, taken: 0 });
    } else if (this.#port.listenerCount('message') === 1) {
      closeUnheard(handle);
    }
  }

  /** One after the other; when a listener throws, the rest is not lost. */
  #takeIn(): void {
    try {
      for (let batch = this.#inbox[0]; batch !== undefined; batch = this.#inbox[0]) {
        while (batch.taken < batch.items.length) this.#take(batch.items[batch.taken++]!, batch.socket);
        this.#inbox.shift();
      }
    } finally {
      if (this.#inbox.length > 0) setImmediate(() => this.#takeIn());
    }
    const done = this.#whenTaken;
    this.#whenTaken = undefined;
    done?.();
  }

  #take(item: Item, socket: Socket | undefined): void {
    if (item.length === 4) {
      try {
        this.#onEnvelope(item);
      } catch (error) {
        this.#unreadable(error);
      }
    } else if (this.#listener !== undefined && this.#early.length === 0) {
      this.#tell(this.#listener, item, socket);
    } else {
      this.#early.push([item, socket]);
      if (item.length === 1 && isEncoded(item[0])) attachTo(item[0]); // It may be long until it is heard.
      this.#hear();
    }
  }

  #hear(): void {
    while (this.#listener !== undefined && this.#early.length > 0) this.#tell(this.#listener, ...this.#early.shift()!);
  }

  #tell(listener: ChannelListener, item: Direct, socket: Socket | undefined): void {
    let message: unknown;
    try {
      message = item.length === 2 ? item[0] : decode(item[0]);
    } catch (error) {
      this.#unreadable(error);
      closeUnheard(socket);
      return;
    }
    listener(message, socket);
  }

  #unreadable(error: unknown): void {
    this.#passedOver++;
    tellUnreadable(error);
  }
}
