// A copy of the server's sources that a test may break, and a command that runs it.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export class SourceCopy implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'echopool-copy-'));

  constructor() {
    for (const part of ['server', 'shared', 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, part), join(this.#directory, part), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(this.#directory, 'node_modules'));
  }

  /** What startTestServer takes as its command: it puts the copy's main file in the place of the original. */
  get command(): string[] {
    return ['sh', '-c', `shift 3; exec "$0" --import tsx ${this.#directory}/server/main.ts "$@"`, process.execPath];
  }

  read(file: string): string {
    return readFileSync(join(this.#directory, file), 'utf8');
  }

  write(file: string, text: string): void {
    writeFileSync(join(this.#directory, file), text);
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}
