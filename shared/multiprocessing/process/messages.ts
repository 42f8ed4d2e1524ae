// What a process tells a child that it has just forked. Used by process.ts and child.ts.
import type { Encoded } from '../values/codec.ts';
import type { Located } from './modules.ts';

/** The first message: who the child is and what to run. */
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
