import { rmSync } from 'node:fs'

/** Gives processes another time. */
export const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'

/** Removes what the library leaves in memory when its process is killed. */
export function removeLeftovers(pid: number) {
  for (const name of [`faketime_shm_${pid}`, `sem.faketime_sem_${pid}`]) rmSync(`/dev/shm/${name}`, { force: true })
}
