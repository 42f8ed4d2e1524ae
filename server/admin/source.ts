// What the admin address needs of the server, and what it is to the server: the seam between server/admin/ and whoever
// knows the server's parts. Types alone: whoever imports them loads nothing.
import type { Change, Status } from '../../shared/status/status.ts';
import type { Place } from '../connections/bind-address.ts';

/** The server, as its admin address shows and operates it. None of this may take long: the master does it. */
export interface AdminSource {
  /** How it is now. O(workers), and at most 500 connections. */
  status(): Status;
  /** What is new since the last call of change() or of begin(); undefined: nothing. */
  change(): Change | undefined;
  /** The status from which change() counts on. */
  begin(): Status;
  /** What a status has not. */
  metrics(): Metrics;
  /** Whether clients may be sent to it. */
  readonly isReady: boolean;
  /** Whether it is worth being kept: if not, only a new start helps. */
  readonly isLive: boolean;
  /** Replaces every worker, one at a time. */
  reload(): void;
  /** One worker more, or one less. */
  resize(by: 1 | -1): void;
  /** @returns false: there is no such worker. */
  signal(slot: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): boolean;
}

export interface Metrics {
  /** How long connections took from accept to their first worker, in seconds. */
  readonly handoffSeconds: {
    /** How many took `le` seconds or less, in growing order: each counts those before it, too. */
    readonly buckets: readonly { readonly le: number; readonly count: number }[];
    readonly sum: number;
    readonly count: number;
  };
}

/** Where to listen, and by what it was given, as errors name it: `--admin`, if it does not say. */
export type AdminPlace = Exclude<Place, { kind: 'fd' }> & { readonly givenBy?: string };

/** An admin address that is open. */
export interface Admin {
  /** As people read it: `http://127.0.0.1:9090/`, `unix:/run/echopool-admin.sock`. */
  readonly address: string;
  /** Ends everything at once, and removes the file of a Unix socket. */
  close(): void;
}
