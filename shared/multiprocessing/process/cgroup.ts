// The processor time that a container may use, as the kernel's control groups (cgroups) limit it. Used by current.ts.
//
// The limit of the process's own group counts, and that of each group above it: version 2 in `cpu.max`, version 1 in
// `cpu.cfs_quota_us` and `cpu.cfs_period_us`. What a container sees may begin in the middle of the tree of groups.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where the groups of one hierarchy are to be found. */
interface Hierarchy {
  /** The folder of its highest group that can be seen here. */
  readonly mount: string;
  /** The path of that group. */
  readonly top: string;
  readonly version: 1 | 2;
}

/**
 * How many CPUs' worth of time the control groups allow this process: 1.5 is three seconds of time in two.
 * @param root The folder in which `/proc` and `/sys` are. Default: `/`.
 * @returns `undefined` when there is no limit, or none that can be read.
 */
export function cpuQuota(root = '/'): number | undefined {
  let least: number | undefined;
  const groups = read(join(root, 'proc/self/cgroup'));
  for (const { mount, top, version } of hierarchies(read(join(root, 'proc/self/mountinfo')))) {
    const own = groupIn(groups, version);
    if (own === undefined) continue;
    for (const group of upwards(below(own, top))) {
      const folder = join(root, mount, group);
      const quota = version === 2 ? quotaV2(read(join(folder, 'cpu.max'))) : quotaV1(folder);
      if (quota !== undefined) least = Math.min(least ?? quota, quota);
    }
  }
  return least;
}

/** The mounts that may have limits of CPU time: `36 35 98:0 /top /mount options - cgroup cgroup rw,cpu`. */
function hierarchies(mountinfo: string): Hierarchy[] {
  return mountinfo.split('\n').flatMap((line): Hierarchy[] => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , top, mount] = before.split(' ').map(unescaped);
    const [type, , options = ''] = after.split(' ');
    if (top === undefined || mount === undefined) return [];
    if (type === 'cgroup2') return [{ mount, top, version: 2 }];
    return type === 'cgroup' && options.split(',').includes('cpu') ? [{ mount, top, version: 1 }] : [];
  });
}

/** The path of the process's group: `0::/path` for version 2, `4:cpu,cpuacct:/path` for version 1. */
function groupIn(groups: string, version: 1 | 2): string | undefined {
  for (const line of groups.split('\n')) {
    const [, number, controllers = '', path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (version === 2 ? number === '0' && controllers === '' : controllers.split(',').includes('cpu')) return path;
  }
  return undefined;
}

/** The path from the highest group that can be seen to the process's own; to that one itself when it lies elsewhere. */
function below(own: string, top: string): string {
  if (own.split('/').includes('..')) return '/';
  const prefix = top === '/' ? '' : top;
  return own === top || own.startsWith(`${prefix}/`) ? own.slice(prefix.length) : '/';
}

/** `/a/b`, `/a`, `/`. */
function upwards(path: string): string[] {
  const names = path.split('/').filter(Boolean);
  return [...names, ''].map((_, i) => `/${names.slice(0, names.length - i).join('/')}`);
}

/** `150000 100000`, or `max 100000`. */
function quotaV2(text: string): number | undefined {
  const [quota, period] = text.trim().split(' ');
  return ratio(quota, period);
}

function quotaV1(folder: string): number | undefined {
  return ratio(read(join(folder, 'cpu.cfs_quota_us')).trim(), read(join(folder, 'cpu.cfs_period_us')).trim());
}

/** No limit: -1 or `max`. */
function ratio(quota = '', period = ''): number | undefined {
  return /^[1-9]\d*$/.test(quota) && /^[1-9]\d*$/.test(period) ? Number(quota) / Number(period) : undefined;
}

/** Mountinfo writes a space as `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
