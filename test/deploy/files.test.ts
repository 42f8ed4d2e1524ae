// The files of docs/deploy: the programs that they are for understand them, and they fit the server that they start.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../server/config.ts';
import type { Config } from '../../server/config.ts';
import { deployFile, nginxArgs, noNginx, withFile } from '../helpers/balancers.ts';
import { missing } from '../helpers/missing.ts';
import { ROOT } from '../helpers/paths.ts';

interface Manifest {
  bin: Record<string, string>;
}

const json = (name: string): unknown => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
const folder = join(ROOT, 'docs/deploy');
/** Where the built server is, from the folder of package.json. */
const main = (json('package.json') as Manifest).bin['echopool-server']!;
/** Stopping takes up to --stop-delay, --grace and a second. */
const stopMs = ({ stopDelayMs, graceMs }: Config): number => stopDelayMs + graceMs + 1000;

/** What the server makes of this command line. It has nothing to say of it, but who may see an open --admin. */
function configOf(args: string[]): Config {
  const invocation = parseConfig(args, {}, 2);
  assert.ok(invocation.kind === 'run');
  assert.deepEqual(invocation.config.notes.filter((note) => !note.startsWith('--admin 0.0.0.0:')), []);
  return invocation.config;
}

function kubernetesArgs(manifest: string): string[] {
  const [, list = ''] = /\n +args:\n((?: +(?:- --|# ).*\n)+)/.exec(manifest) ?? [];
  return list.trim().split('\n').map((line) => line.trim()).filter((line) => !line.startsWith('#'))
    .map((line) => line.slice('- '.length));
}

function found(pattern: RegExp, text: string): string {
  return pattern.exec(text)?.[1] ?? assert.fail(`no ${pattern} in\n${text}`);
}

test('each opens with the three lines that a reader needs', () => {
  const files = readdirSync(folder).filter((name) => !name.endsWith('.dockerignore'));
  assert.ok(files.length >= 7);
  for (const name of files) {
    const [, opening = ''] = /^(?:#!.*\n)?((?:# .*\n)*)/.exec(deployFile(name)) ?? [];
    assert.equal(opening.split('\n').length - 1, 3, name);
  }
});

test('the image and the unit have the page too, which is no part of dist/', () => {
  const { files } = json('package.json') as { files: readonly string[] };
  assert.ok(files.includes('server/admin/page'));
  for (const name of ['Dockerfile', 'echopool.service']) assert.match(deployFile(name), /server\/admin\/page/, name);
});

test('no line is longer than those of the sources', () => {
  const long = readdirSync(folder).flatMap((name) =>
    deployFile(name).split('\n').flatMap((line, i) => (line.length > 120 ? [`${name}:${i + 1}`] : [])));
  assert.deepEqual(long, []);
});

test('HAProxy understands haproxy.cfg, without a warning', { skip: missing('haproxy') }, () => {
  const { status, stdout, stderr } = spawnSync('haproxy', ['-c', '-f', join(folder, 'haproxy.cfg')]);
  assert.equal(status, 0, String(stderr));
  assert.doesNotMatch(`${stdout}${stderr}`, /WARNING/);
});

test('nginx understands nginx.conf', { skip: noNginx() }, () => {
  const { status, stderr } = withFile(deployFile('nginx.conf'), (file) => spawnSync('nginx', nginxArgs('-t', file)));
  assert.equal(status, 0, String(stderr));
  assert.doesNotMatch(String(stderr), /\[warn\]/);
});

test('systemd understands the service and its socket', { skip: missing('systemd-analyze') }, () => {
  const copies = mkdtempSync(join(tmpdir(), 'echopool-units-'));
  try {
    const start = join(copies, 'node');
    writeFileSync(start, '');
    chmodSync(start, 0o755);
    const units = ['echopool.service', 'echopool.socket'].map((name) => {
      // systemd-analyze looks whether there is such a program.
      writeFileSync(join(copies, name), deployFile(name).replace('/usr/bin/node', start));
      return join(copies, name);
    });
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...units]);
    // A key that it does not know is a line, and no failure.
    assert.equal(`${stdout}${stderr}`.split('\n').filter((line) => line.includes(copies)).join('\n'), '');
    assert.equal(status, 0, String(stderr));
  } finally {
    rmSync(copies, { recursive: true });
  }
});

test('the service starts the built server, which has ended before systemd would kill it', () => {
  const unit = deployFile('echopool.service');
  const [node, script, ...args] = found(/^ExecStart=(.*)$/m, unit).split(' ');
  assert.equal(node, '/usr/bin/node');
  assert.equal(script, join('/opt/echopool', main));
  assert.ok(Number(found(/^TimeoutStopSec=(\d+)$/m, unit)) * 1000 >= stopMs(configOf(args)));
});

test('so it has before Kubernetes would kill it', () => {
  const manifest = deployFile('kubernetes.yaml');
  const config = configOf(kubernetesArgs(manifest));
  assert.ok(config.stopDelayMs > 0);
  assert.ok(Number(found(/terminationGracePeriodSeconds: (\d+)/, manifest)) * 1000 >= stopMs(config));
});

test('kubernetes.yaml is YAML, and its Service finds its pods', { skip: noYaml() }, () => {
  const program = 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))';
  const { stdout, stderr } = spawnSync('python3', ['-c', program], { input: deployFile('kubernetes.yaml') });
  assert.equal(String(stderr), '');
  const [deployment, service] = JSON.parse(String(stdout)) as [Deployment, Service];
  assert.deepEqual([deployment.kind, service.kind], ['Deployment', 'Service']);
  const { selector, template } = deployment.spec;
  assert.deepEqual(template.metadata.labels, selector.matchLabels);
  assert.deepEqual(service.spec.selector, selector.matchLabels);
  const [container] = template.spec.containers;
  const { startupProbe, readinessProbe, livenessProbe } = container!;
  const ports = new Map(container!.ports.map(({ name, containerPort }) => [name, containerPort]));
  const { admin } = configOf(kubernetesArgs(deployFile('kubernetes.yaml')));
  assert.ok(admin?.kind === 'tcp' && admin.host === '0.0.0.0', 'the node asks from outside');
  const probes = [startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet);
  assert.deepEqual(probes.map(({ path }) => path), ['/readyz', '/readyz', '/livez']);
  for (const { port } of probes) assert.equal(ports.get(port), admin.port);
  assert.equal(template.metadata.annotations['prometheus.io/port'], `${admin.port}`);
  assert.ok(ports.has(service.spec.ports[0]!.targetPort));
});

interface Probe { httpGet: { path: string; port: string } }
interface Container {
  ports: { name: string; containerPort: number }[];
  startupProbe: Probe;
  readinessProbe: Probe;
  livenessProbe: Probe;
}
interface Deployment {
  kind: string;
  spec: {
    selector: { matchLabels: object };
    template: { metadata: { labels: object; annotations: Record<string, string> }; spec: { containers: Container[] } };
  };
}
interface Service {
  kind: string;
  spec: { selector: object; ports: { targetPort: string }[] };
}

function noYaml(): string | false {
  if (missing('python3') !== false) return missing('python3');
  return spawnSync('python3', ['-c', 'import yaml']).status === 0 ? false : 'python3 has no yaml here';
}

test('the image is built of all that the build takes, and starts the server without a shell between', () => {
  const dockerfile = deployFile('Dockerfile');
  const [, build = '', image = ''] = dockerfile.split(/^FROM .*$/m);
  const { include } = json('tsconfig.build.json') as { include: string[] };
  for (const part of [...include, 'tsconfig.json tsconfig.build.json', 'package.json package-lock.json']) {
    assert.match(build, new RegExp(`^COPY ${part} `, 'm'));
  }
  assert.match(build, /^RUN npm run build$/m);
  assert.deepEqual(JSON.parse(found(/^ENTRYPOINT (.*)$/m, image)), ['node', join('/opt/echopool', main)]);
  assert.match(image, /^USER 65534:65534$/m);
});
