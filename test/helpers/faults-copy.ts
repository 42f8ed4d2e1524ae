// A copy of the server's modules that a test may break, and how to run it.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { modulePath, MODULES, nodeArgs, ROOT } from './paths.ts';

export class ServerCopy implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'echopool-copy-'));

  constructor() {
    for (const part of [join(MODULES, 'server'), join(MODULES, 'shared'), 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, part), join(this.#directory, part), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(this.#directory, 'node_modules'));
  }

  /** What startTestServer takes as its main. */
  get main(): string[] {
    return nodeArgs('server/main.ts', this.#directory);
  }

  /** @param module As in the sources: `server/worker/worker.ts`. */
  read(module: string): string {
    return readFileSync(modulePath(module, this.#directory), 'utf8');
  }

  /** @param text JavaScript. It imports others as the sources do, or as what was read does. */
  write(module: string, text: string): void {
    const path = modulePath(module, this.#directory);
    writeFileSync(path, text.replaceAll(/(from '\.[^']*)\.ts'/g, `$1${extname(path)}'`));
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}
