// The flags' part of a help text, from the table by which they are read. Used by each program's help.
import { usageOf, type Flags } from './table.ts';

/**
 * Each flag, what it is, and in brackets its default.
 * @param column Where that begins, and further lines of it too.
 * @param showsVariables What stands there is a value's environment variable, and what it is comes a line below.
 */
export function flagLines(flags: Flags, column: number, showsVariables = false): string {
  return Object.entries(flags).filter(([, { help }]) => help !== undefined).map(([key, flag]) => {
    const usage = `  ${flag.short === undefined ? '' : `-${flag.short}, `}${usageOf(key, flag)}`.padEnd(column);
    const help = `${flag.help}${flag.fallback === undefined ? '' : ` (${flag.fallback})`}`;
    const [variable] = showsVariables ? flag.variables ?? [] : [];
    if (variable !== undefined) return `${usage}${variable}\n      ${help}`;
    return `${usage}${help.replaceAll('\n', `\n${' '.repeat(column)}`)}`;
  }).join('\n');
}
