// A control group of the system's with a limit of CPU time, as a container has it, for the tests that may make one.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../shared/errors.ts';
import { until } from './processes.ts';

const V1 = '/sys/fs/cgroup/cpu';
let made = 0;

/** There can be none here; why not. */
export interface NoControlGroup extends AsyncDisposable {
  readonly missing: string;
}

export class ControlGroup implements AsyncDisposable {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What stands before a command that is to run in the group. */
  get command(): string[] {
    return ['sh', '-c', 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.#folder];
  }

  /** Waits until its last process has ended: the system keeps it until then. */
  async [Symbol.asyncDispose](): Promise<void> {
    await until(() => readFileSync(join(this.#folder, 'cgroup.procs'), 'utf8') === '', 'the control group is empty');
    rmdirSync(this.#folder);
  }
}

/** A new group with that limit in thousandths of a CPU, or why there can be none. */
export function makeControlGroup(limit: number): ControlGroup | NoControlGroup {
  const name = `echopool-test-${process.pid}-${++made}`;
  const folder = existsSync(V1) ? join(V1, name) : join('/sys/fs/cgroup', name);
  try {
    mkdirSync(folder);
  } catch (error) {
    return none(`no control group can be made here: ${messageOf(error)}`);
  }
  try {
    if (existsSync(V1)) {
      writeFileSync(join(folder, 'cpu.cfs_period_us'), '100000');
      writeFileSync(join(folder, 'cpu.cfs_quota_us'), `${limit * 100}`);
    } else {
      writeFileSync(join(folder, 'cpu.max'), `${limit * 100} 100000`);
    }
    readFileSync(join(folder, 'cgroup.procs'));
    return new ControlGroup(folder);
  } catch (error) {
    rmdirSync(folder);
    return none(`no limit of CPU time can be set here: ${messageOf(error)}`);
  }
}

function none(missing: string): NoControlGroup {
  return { missing, [Symbol.asyncDispose]: () => Promise.resolve() };
}
