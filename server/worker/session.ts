// What a worker and its connections have of each other. Types alone: whoever imports them loads nothing.
import type { Behavior } from './behavior.ts';
import type { CloseReason, Moved, Traffic } from './messages.ts';

/** A connection in a worker: what the worker tells it. */
export interface Session {
  readonly id: number;
  /** Its client's address for the log. */
  readonly peer: string;
  /** What it has seen so far, in other workers too. */
  readonly traffic: Traffic;
  start(): void;
  drain(graceMs: number): void;
  giveBack(): void;
  giveUp(): void;
}

/** The worker, as its sessions see it. Either `closed` or `givenBack` comes, once, and is the last of a session. */
export interface SessionHost {
  /** One read returned these bytes. They are changed right after: keep nothing of them. */
  message(session: Session, bytes: Buffer): void;
  closed(session: Session, reason: CloseReason, traffic: Traffic): void;
  givenBack(session: Session, moved: Moved): void;
  /** Where it is not to answer plainly. */
  readonly behavior: Behavior | undefined;
}
