// One fork channel, seen from either end: what is posted within a turn of the event loop travels as one message.
// Process and child.ts make one each; the router sends envelopes over it, the server its own messages and sockets.
import type { ChildProcess, SendHandle } from 'node:child_process';
import type { Socket } from 'node:net';

/** A message to an endpoint somewhere in the tree of processes: to whom, from whom, about which primitive, what. */
export type Envelope = [to: string, from: string, ref: string, body: unknown];
/** A message for the process at the other end itself. */
type Direct = [body: unknown];
type Item = Envelope | Direct;

/** Hears what the process at the other end posts or sends. The socket is missing when it was destroyed on the way. */
export type ChannelListener = (message: unknown, socket: Socket | undefined) => void;

/** The largest number of items in one message: bounds what one turn of either event loop has to chew on. */
const MOST_ITEMS = 512;

export class Channel {
  readonly #port: ChildProcess | NodeJS.Process;
  #outbox: Item[] = [];
  #scheduled = false;
  #underWay = 0;
  #whenIdle: (() => void)[] = [];
  #listener: ChannelListener | undefined;
  #early: [unknown, Socket | undefined][] = [];

  /**
   * @param port The forked child, or `process` in a forked child.
   * @param onEnvelope Gets each envelope that arrives, in order.
   */
  constructor(port: ChildProcess | NodeJS.Process, onEnvelope: (envelope: Envelope) => void) {
    this.#port = port;
    const onMessage = (items: Item[], handle: SendHandle | undefined): void => {
      for (const item of items) {
        if (item.length === 4) onEnvelope(item);
        else this.#hear(item[0], handle as Socket | undefined);
      }
    };
    (port as NodeJS.EventEmitter).on('message', onMessage);
  }

  /** Sets who hears the messages for this process. Those that came when nobody did are heard at once, in order. */
  listen(listener: ChannelListener | undefined): void {
    this.#listener = listener;
    while (this.#listener !== undefined && this.#early.length > 0) this.#listener(...this.#early.shift()!);
  }

  /** Posts a message (a structured clone) to the process at the other end. Order is kept; it is lost if that process dies. */
  post(message: unknown): void {
    this.#push([message]);
  }

  /**
   * Sends a message with a socket, of which this process keeps its own copy.
   * Settles when the message was given to the system, which does not say that it arrived; never rejects.
   * Send the next socket only after the other end has answered for this one: Node has one in flight per child,
   * and whatever queues behind it is lost when the child dies.
   */
  sendSocket(message: unknown, socket: Socket): Promise<void> {
    this.#flush();
    return new Promise((resolve) => this.#send([[message]], socket, resolve));
  }

  /** For the router: passes an envelope on. */
  pass(envelope: Envelope): void {
    this.#push(envelope);
  }

  /** Settles when all that was posted so far was given to the system, or the channel is closed. */
  async flushed(): Promise<void> {
    this.#flush();
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  #hear(message: unknown, socket: Socket | undefined): void {
    if (this.#listener === undefined) this.#early.push([message, socket]);
    else this.#listener(message, socket);
  }

  #push(item: Item): void {
    if (this.#outbox.push(item) >= MOST_ITEMS) {
      this.#flush();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      process.nextTick(() => this.#flush());
    }
  }

  #flush(): void {
    this.#scheduled = false;
    if (this.#outbox.length === 0) return;
    const items = this.#outbox;
    this.#outbox = [];
    this.#send(items, undefined, undefined);
  }

  #send(items: Item[], socket: Socket | undefined, then: (() => void) | undefined): void {
    this.#underWay++;
    // An error here says that the other end is gone; that is told once, with its reason, by the child's 'exit'.
    const settle = (): void => {
      then?.();
      if (--this.#underWay === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
    };
    if (!this.#port.connected) process.nextTick(settle);
    else this.#port.send!(items, socket, { keepOpen: true }, settle);
  }
}
