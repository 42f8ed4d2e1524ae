// For tests that need a program of the system's.
import { spawnSync } from 'node:child_process';

/** Why a test that needs it cannot run here, for its `skip` option. */
export function missing(program: string): string | false {
  return spawnSync('which', [program]).status === 0 ? false : `${program} is not installed here`;
}
