// The limits of CPU time of control groups: read from folders that look like a container's, and from a real one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { cpuQuota } from '../../shared/multiprocessing/process/cgroup.ts';
import { makeControlGroup } from '../helpers/control-group.ts';
import { moduleUrl, nodeArgs } from '../helpers/paths.ts';

const roots: string[] = [];
after(() => roots.forEach((root) => rmSync(root, { recursive: true })));

/** The quota where these files are all that there is. */
function quotaOf(files: Record<string, string>): number | undefined {
  const root = mkdtempSync(join(tmpdir(), 'cgroup-'));
  roots.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return cpuQuota(root);
}

describe('version 2', () => {
  const v2 = (group: string, files: Record<string, string>, top = '/'): Record<string, string> => ({
    'proc/self/cgroup': `0::${group}\n`,
    'proc/self/mountinfo': `29 23 0:26 ${top} /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n`,
    ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`sys/fs/cgroup/${path}`, text])),
  });

  test('the group\'s own limit counts', () => {
    assert.equal(quotaOf(v2('/', { 'cpu.max': '150000 100000\n' })), 1.5);
    assert.equal(quotaOf(v2('/a/b', { 'a/b/cpu.max': '50000 100000\n' })), 0.5);
  });

  test('and those of the groups above it: the least', () => {
    const files = { 'cpu.max': 'max 100000\n', 'a/cpu.max': '200000 100000\n', 'a/b/cpu.max': '300000 100000\n' };
    assert.equal(quotaOf(v2('/a/b', files)), 2);
    assert.equal(quotaOf(v2('/a', { ...files, 'other/cpu.max': '1 100000\n' })), 2);
  });

  test('without a limit there is none', () => {
    assert.equal(quotaOf(v2('/', { 'cpu.max': 'max 100000\n' })), undefined);
    assert.equal(quotaOf(v2('/a', {})), undefined);
    assert.equal(quotaOf({}), undefined);
  });

  test('what is no number is no limit', () => {
    for (const text of ['', 'x', '-1 100000', '0 100000', '100000', '100000 0', '1.5 1', '100000 x']) {
      assert.equal(quotaOf(v2('/', { 'cpu.max': text })), undefined, JSON.stringify(text));
    }
  });

  test('a mount that begins in the middle of the tree is that group\'s folder', () => {
    assert.equal(quotaOf(v2('/pod/box', { 'cpu.max': '100000 100000\n' }, '/pod/box')), 1);
    assert.equal(quotaOf(v2('/pod/box/in', { 'in/cpu.max': '70000 100000\n' }, '/pod/box')), 0.7);
    assert.equal(quotaOf(v2('/../elsewhere', { 'cpu.max': '100000 100000\n' })), 1);
    assert.equal(quotaOf(v2('/podium', { 'cpu.max': '100000 100000\n' }, '/pod')), 1);
  });
});

describe('version 1', () => {
  const v1 = (group: string, files: Record<string, string>, top = '/'): Record<string, string> => ({
    'proc/self/cgroup': `5:memory:/m\n4:cpu,cpuacct:${group}\n3:cpuset:/wrong\n`,
    'proc/self/mountinfo':
      '30 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n' +
      `31 23 0:28 ${top} /sys/fs/cgroup/cpu\\040time rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n`,
    ...Object.fromEntries(Object.entries(files).map(([path, text]) => [`sys/fs/cgroup/cpu time/${path}`, text])),
  });

  test('quota and period are files of their own', () => {
    assert.equal(quotaOf(v1('/', { 'cpu.cfs_quota_us': '250000\n', 'cpu.cfs_period_us': '100000\n' })), 2.5);
    assert.equal(quotaOf(v1('/', { 'cpu.cfs_quota_us': '-1\n', 'cpu.cfs_period_us': '100000\n' })), undefined);
    assert.equal(quotaOf(v1('/', { 'cpu.cfs_quota_us': '250000\n' })), undefined);
  });

  test('groups above count too, and a container sees its own as the highest', () => {
    const files = {
      'cpu.cfs_quota_us': '-1\n', 'cpu.cfs_period_us': '100000\n',
      'docker/cpu.cfs_quota_us': '300000\n', 'docker/cpu.cfs_period_us': '100000\n',
      'docker/abc/cpu.cfs_quota_us': '60000\n', 'docker/abc/cpu.cfs_period_us': '20000\n',
    };
    assert.equal(quotaOf(v1('/docker/abc', files)), 3);
    const own = { 'cpu.cfs_quota_us': '120000\n', 'cpu.cfs_period_us': '100000\n' };
    assert.equal(quotaOf(v1('/docker/abc', own, '/docker/abc')), 1.2);
  });

  test('beside version 2, as hybrid systems have them, the least of both counts', () => {
    const files = v1('/', { 'cpu.cfs_quota_us': '250000\n', 'cpu.cfs_period_us': '100000\n' });
    const unified = '32 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n';
    assert.equal(quotaOf({
      ...files,
      'proc/self/cgroup': `${files['proc/self/cgroup']}0::/\n`,
      'proc/self/mountinfo': `${files['proc/self/mountinfo']}${unified}`,
      'sys/fs/cgroup/unified/cpu.max': '100000 100000\n',
    }), 1);
  });
});

test('cpuCount() respects the limit of a real control group, rounded up', async (t) => {
  if (availableParallelism() < 2) return t.skip('needs two CPUs, and there is one');
  for (const [limit, cpus] of [[500, 1], [1000, 1], [1100, 2]] as const) {
    await using group = makeControlGroup(limit);
    if ('missing' in group) return t.skip(group.missing);
    const index = JSON.stringify(moduleUrl('shared/multiprocessing/index.ts').href);
    const program = `import(${index}).then((m) => console.log(m.cpuCount()))`;
    const [enter, ...args] = [...group.command, process.execPath, ...nodeArgs('').slice(0, -1), '-e', program];
    const { stdout, stderr } = spawnSync(enter!, args, { encoding: 'utf8' });
    assert.equal(stdout, `${cpus}\n`, stderr);
  }
});
