// What a process and the child that it has forked tell each other besides the primitives' messages. Used by process.ts
// and child.ts.
import type { Encoded } from '../values/codec.ts';
import type { Located } from './modules.ts';

/** The first message to a forked child: who it is and what to run. */
export interface StartMessage extends Located {
  readonly address: string;
  readonly name: string;
  readonly daemon: boolean;
  readonly cwd: string | undefined;
  readonly program: string | undefined;
  /** What its parent, that one's parent … were started for, and itself. */
  readonly lineage: readonly string[];
  readonly args: Encoded[];
  /** The descriptor by which it sends what it has not got rid of when it exits. */
  readonly exitFd: number;
}

/** The name under which a child tells its parent what its target threw, where envelopes name a primitive. */
export const FAILED = '!';
