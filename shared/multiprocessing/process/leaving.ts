// What a process gives back before it goes: child.ts runs these when the target has ended and again when the process
// ends, so that others need not learn from its death that a lock it no longer held, or an item it never used, is free.

const tasks = new Set<() => void>();

/** Adds something to be done at once, in any order, when this process's target or the process itself has ended. */
export function onLeave(task: () => void): void {
  tasks.add(task);
}

/** May be called again: what a process takes after its target has ended must be given back too. */
export function leave(): void {
  for (const task of tasks) task();
}
