// Addresses and routes: how a message finds its way between any two processes of the tree, and how each of them learns
// that the other one died. The processes form a tree of fork channels; the root's address is '', its second child's is
// '2', that child's first child's '2.1'. So a route needs no table: down if the address begins with mine, else up.
import { isWithin, kindOf, ownerOf } from '../base/address.ts';
import type { Channel, Envelope } from './channel.ts';
import type { Death } from '../base/errors.ts';
import { isDeath, isObject, isString } from '../base/shape.ts';
import { tellNow } from './turn.ts';
import { referencesIn } from '../values/codec.ts';
import type { Encoded } from '../values/codec.ts';

/** The part of a primitive that lives in this process and hears of the others. */
export interface Endpoint {
  /** A message about this primitive came from the process at that address. */
  receive(from: string, body: unknown): void;
  /** The process at that address holds this primitive from now on. */
  attached?(from: string): void;
  /** A process that had to do with this one, or with its children, died; with it everything below its address. */
  died(death: Death): void;
}

interface Child {
  readonly channel: Channel;
  /** Those outside the child's part of the tree with whom it or its children had messages: they hear of its death. */
  readonly contacts: Set<string>;
}

/** To the next processes of the tree; and back, when it has come back from all of those behind. */
interface WaveMessage {
  readonly wave: string;
  readonly isBack: boolean;
}

interface Wave {
  /** From these it has not come back. */
  readonly awaited: Set<string>;
  readonly ended: () => void;
}

/** The name under which a death travels, where other envelopes name a primitive. */
const DEATH_NOTICE = '';
/** The name under which a wave travels: {@link whenAllHeard}. */
const WAVE = 'wave';
/**
 * What is under way when a wave begins has come before the next one has ended, and what is told on hearing it before
 * the one after that: that is a value, the word of who got it, and the word of who keeps something for that one.
 */
const WAVES = 3;
/** The deaths of so many children are known in detail. Of those before it is only known that they are dead. */
const DEATHS_KEPT = 1000;
/** The body of the message by which a process says that it holds a primitive from now on. */
export const ATTACH = 'attach';

let self = '';
let parent: Channel | undefined;
let lastChild = 0;
let lastRef = 0;
const children = new Map<string, Child>();
const deaths = new Map<string, Death>();
const endpoints = new Map<string, Endpoint>();
/** The waves that have come to this process and not ended, by their names. */
const waves = new Map<string, Wave>();
let lastWave = 0;
/** Those who ask before the next waves begin. */
let askers: (() => void)[] | undefined;
/** Who hears for primitives that were forgotten, by their kinds. */
const forgotten = new Map<string, (ref: string) => Pick<Endpoint, 'receive'>>();

/** This process's address. */
export function selfAddress(): string {
  return self;
}

/** Says who this process is. Called once, by a forked child, before anything else. */
export function becomeChild(address: string, channelToParent: Channel): void {
  self = address;
  parent = channelToParent;
}

/** An address for a new child of this process. */
export function newChildAddress(): string {
  return self === '' ? `${++lastChild}` : `${self}.${++lastChild}`;
}

/**
 * A name for a new primitive of that kind that lives here, unique in the whole tree. `kind`: a word, and more after a
 * dot.
 */
export function newRef(kind: string): string {
  return `${self}#${kind}-${++lastRef}`;
}

/**
 * Says who hears what comes for a primitive of that kind which this process has forgotten: others may still have it, or
 * it is on its way to them, and they must not wait in vain.
 */
export function hearForForgotten(kind: string, find: (ref: string) => Pick<Endpoint, 'receive'>): void {
  forgotten.set(kind, find);
}

export function addEndpoint(ref: string, endpoint: Endpoint): void {
  endpoints.set(ref, endpoint);
}

export function removeEndpoint(ref: string): void {
  endpoints.delete(ref);
}

export function addChild(address: string, channel: Channel): void {
  children.set(address, { channel, contacts: new Set() });
}

/** A child of this process has died: tells everyone who had to do with it. */
export function childDied(death: Death): void {
  const child = children.get(death.address);
  if (child === undefined) return;
  children.delete(death.address);
  deaths.set(death.address, death);
  if (deaths.size > DEATHS_KEPT) deaths.delete(deaths.keys().next().value!);
  hearDeath(death);
  // The root is told of every death: all between keep contacts, which with the dead among them would only grow.
  for (const contact of child.contacts.add('')) {
    if (contact !== self) route([contact, self, DEATH_NOTICE, death]);
  }
}

/** How that child died; undefined when it lives, or there never was one. */
function deathOf(child: string): Death | undefined {
  const number = Number(child.slice(child.lastIndexOf('.') + 1));
  if (children.has(child) || !Number.isInteger(number) || number < 1 || number > lastChild) return undefined;
  return deaths.get(child) ?? { address: child, name: `child ${number}`, pid: undefined, exitCode: NaN };
}

/** Says to the owners of the primitives in a value that this process holds them from now on. */
export function attachTo(encoded: Encoded): void {
  for (const { ref } of referencesIn(encoded)) post(ownerOf(ref), ref, ATTACH);
}

/** Sends a message about the primitive `ref` to the process at `to`. If that one is dead, its death comes back. */
export function post(to: string, ref: string, body: unknown): void {
  tellNow();
  route([to, self, ref, body]);
}

/** The same in the name of a child of this process, which may be too young to speak for itself. */
export function postFor(child: string, to: string, ref: string, body: unknown): void {
  children.get(child)?.contacts.add(to);
  route([to, child, ref, body]);
}

/** All that was posted or passed on goes to the system now: what this process does next may take long. */
export function flush(): void {
  parent?.flush();
  for (const { channel } of children.values()) channel.flush();
}

/**
 * Calls `call` when all has been heard that was under way anywhere in the tree, with what was told on hearing it: after
 * waves that go to each process and come back. A process answers when its event loop turns, or is told of as dead.
 * Those who ask in one turn of the event loop share them.
 */
export function whenAllHeard(call: () => void): void {
  if (askers !== undefined) {
    askers.push(call);
    return;
  }
  const calls = [call];
  askers = calls;
  let left = WAVES;
  const next = (): void => {
    if (left-- === 0) for (const each of calls) each();
    else setImmediate(() => {
      if (askers === calls) askers = undefined;
      spread(`${self}/${++lastWave}`, undefined, next);
    });
  };
  next();
}

/** A wave goes on to all next processes but the one that it came from. */
function spread(name: string, cameFrom: string | undefined, ended: () => void): void {
  const awaited = new Set(children.keys());
  if (self !== '') awaited.add(self.slice(0, Math.max(0, self.lastIndexOf('.'))));
  if (cameFrom !== undefined) awaited.delete(cameFrom);
  const wave: Wave = { awaited, ended };
  waves.set(name, wave);
  for (const to of [...awaited]) post(to, WAVE, { wave: name, isBack: false } satisfies WaveMessage);
  endIfAllBack(name, wave);
}

function hearWave(from: string, body: unknown): void {
  if (!isObject(body) || !isString(body.wave)) return;
  const { wave: name, isBack } = body;
  const wave = waves.get(name);
  if (isBack === true && wave?.awaited.delete(from) === true) endIfAllBack(name, wave);
  if (isBack !== false || wave !== undefined) return;
  spread(name, from, () => post(from, WAVE, { wave: name, isBack: true } satisfies WaveMessage));
}

function endIfAllBack(name: string, { awaited, ended }: Wave): void {
  if (awaited.size === 0 && waves.delete(name)) ended();
}

/** Takes an envelope that came over the channel of the child at `via`, or of the parent if that is undefined. */
export function arrive(envelope: Envelope, via: string | undefined): void {
  if (!isCredible(envelope, via)) return;
  if (via !== undefined) children.get(via)?.contacts.add(envelope[0]);
  route(envelope);
}

/**
 * A child speaks for itself and for those below it, and tells of the deaths of these; nobody can tell this process that
 * it died.
 */
function isCredible([, from, ref, body]: Envelope, via: string | undefined): boolean {
  if (via !== undefined && !isWithin(from, via)) return false;
  if (ref !== DEATH_NOTICE) return true;
  if (!isDeath(body)) return false;
  return via === undefined ? !isWithin(self, body.address) : body.address !== via && isWithin(body.address, via);
}

function route(envelope: Envelope): void {
  const [to, from, ref, body] = envelope;
  if (ref === DEATH_NOTICE) forgetContact((body as Death).address);
  if (to === self) {
    deliver(envelope);
  } else if (isWithin(to, self)) {
    const next = nextHop(to);
    const child = children.get(next);
    if (child !== undefined) {
      child.contacts.add(from);
      child.channel.pass(envelope);
    } else if (ref !== DEATH_NOTICE) {
      const death = deathOf(next);
      if (death !== undefined) route([from, self, DEATH_NOTICE, death]);
    }
  } else {
    parent?.pass(envelope);
  }
}

/** The child of this process through which `to` is reached. */
function nextHop(to: string): string {
  const end = to.indexOf('.', self === '' ? 0 : self.length + 1);
  return end === -1 ? to : to.slice(0, end);
}

function deliver([, from, ref, body]: Envelope): void {
  if (ref === DEATH_NOTICE) {
    hearDeath(body as Death);
    return;
  }
  if (ref === WAVE) return hearWave(from, body);
  const endpoint = endpoints.get(ref);
  if (body === ATTACH) endpoint?.attached?.(from);
  else if (endpoint !== undefined) endpoint.receive(from, body);
  else forgotten.get(kindOf(ref))?.(ref).receive(from, body);
}

/** Whoever is dead need not be told of anybody's death. */
function forgetContact(dead: string): void {
  for (const { contacts } of children.values()) {
    for (const contact of contacts) if (isWithin(contact, dead)) contacts.delete(contact);
  }
}

function hearDeath(death: Death): void {
  forgetContact(death.address);
  for (const endpoint of [...endpoints.values()]) endpoint.died(death);
  for (const [name, wave] of [...waves]) if (wave.awaited.delete(death.address)) endIfAllBack(name, wave);
}
