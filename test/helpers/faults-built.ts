// The server as it is shipped, compiled to JavaScript: its processes start in a third of the time that tsx takes, which
// counts where a test replaces a hundred of them.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export class BuiltServer implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'echopool-built-'));

  /** Compiles it. @throws Error with what the compiler says. */
  constructor() {
    const { status, stdout } = spawnSync(
      'npx', ['tsc', '-p', 'tsconfig.build.json', '--outDir', join(this.#directory, 'dist')], { cwd: ROOT, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`the server does not compile:\n${stdout}`);
    copyFileSync(join(ROOT, 'package.json'), join(this.#directory, 'package.json'));
  }

  /** What startTestServer takes as its command. @param before What runs node: `setsid`, `taskset -c 0,1` … */
  command(...before: string[]): string[] {
    // In the place of the original, with tsx, which the test server puts there.
    const script = `shift 3; exec "$0" ${this.#directory}/dist/server/main.js "$@"`;
    return [...before, 'sh', '-c', script, process.execPath];
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}
