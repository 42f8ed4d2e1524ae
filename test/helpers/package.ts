// The package as a user has it: built, packed by npm once, and installed into a folder of its own. Used by
// test/tools/package.test.ts.
import { execFile } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './paths.ts';
import { cleanEnvironment } from './server.ts';

const run = promisify(execFile);

export interface Installed {
  /** Where it is installed: the folder of package.json. */
  readonly folder: string;
  /** The paths of all files of the package. */
  readonly files: readonly string[];
  /** Runs a command there, to its end. @throws When its exit code is not 0; it has `stdout` and `stderr` too. */
  run(command: string, ...args: string[]): Promise<{ stdout: string; stderr: string }>;
  /** Writes a file there. */
  write(name: string, text: string): void;
  remove(): void;
}

/**
 * Builds, packs and installs it, with a module as the type of JavaScript there; tsx and Node's types are beside it.
 * @param strays Files that do not belong into the package, and are made where it is packed.
 */
export async function installPackage(strays: readonly string[] = []): Promise<Installed> {
  const place = mkdtempSync(join(tmpdir(), 'package-'));
  const source = join(place, 'source');
  const folder = join(place, 'user');
  for (const path of [source, folder]) mkdirSync(path);
  const env = cleanEnvironment();
  try {
    await run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json', '--outDir', join(source, 'dist')], {
      cwd: ROOT, env,
    });
    const texts = readdirSync(ROOT).filter((name) => name.endsWith('.md'));
    for (const file of ['package.json', 'LICENSE', ...texts]) copyFileSync(join(ROOT, file), join(source, file));
    for (const part of ['server/admin/page', 'demos', 'docs']) {
      cpSync(join(ROOT, part), join(source, part), { recursive: true });
    }
    for (const stray of strays) {
      mkdirSync(join(source, stray, '..'), { recursive: true });
      writeFileSync(join(source, stray), '');
    }
    const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', place];
    const { stdout } = await run('npm', packing, { cwd: source, env });
    const [{ files, filename }] = JSON.parse(stdout) as [{ files: { path: string }[]; filename: string }];
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n');
    const install = ['install', '--offline', '--no-audit', '--no-fund', join(place, filename)];
    await run('npm', install, { cwd: folder, env });
    const [ours, theirs] = [join(ROOT, 'node_modules'), join(folder, 'node_modules')];
    for (const other of ['tsx', '@types']) symlinkSync(join(ours, other), join(theirs, other));
    return {
      folder, files: files.map(({ path }) => path),
      run: (command, ...args) => run(command, args, { cwd: folder, env: { ...env, TMPDIR: place } }),
      write: (name, text) => writeFileSync(join(folder, name), text),
      remove: () => rmSync(place, { recursive: true }),
    };
  } catch (error) {
    rmSync(place, { recursive: true });
    throw error;
  }
}

/**
 * Fetches a package from the registry, with whatever npm has kept of it.
 * @returns Where its files are, or why it could not be had: without the registry that is no fault of ours.
 */
export async function fetched(
  folder: string, name: string, version: string,
): Promise<{ path: string; why?: undefined } | { path?: undefined; why: string }> {
  const prefix = join(folder, `${name}-${version}`);
  const args = ['install', '--prefix', prefix, '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  const limits = { env: cleanEnvironment(), timeout: 120_000 };
  try {
    await run('npm', [...args, '--fetch-retries=1', `${name}@${version}`], limits);
    return { path: join(prefix, 'node_modules', name) };
  } catch (error) {
    const { stderr } = error as { stderr?: unknown };
    const said = typeof stderr === 'string' ? stderr : String(error);
    return { why: `${name}@${version} cannot be fetched: ${said.trim().split('\n')[0] || 'it takes too long'}` };
  }
}
