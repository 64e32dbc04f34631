import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { dataPaths } from '../../../cli/server/paths.ts'
import { hasMariadb, newDatabase, startMariadb } from '../databases/mariadb.ts'
import { requireProgram } from '../processes/required.ts'
import type { Shell } from '../processes/shell.ts'

/** Whether everything that a cluster of processes needs is installed; see requireProgram. */
export const canRunCluster = (t: ExecutionContext): boolean =>
  requireProgram(t, 'nats-server') && (hasMariadb() || requireProgram(t, 'mariadbd'))

/** A MariaDB server whose commits are durable when they are visible; it ends with the test. */
export async function shareableMariadb(t: ExecutionContext) {
  const mariadb = await startMariadb({ binlog: true })
  t.teardown(() => mariadb.close())
  const { url } = await newDatabase(mariadb.server)
  return { mariadb, url }
}

/** Gives a data folder the key and the secret of another one. */
export async function copyKeys({ folder }: Pick<Shell, 'folder'>, from: string, to: string) {
  const [source, target] = [dataPaths(join(folder, from)), dataPaths(join(folder, to))]
  await mkdir(join(folder, to), { mode: 0o700, recursive: true })
  await copyFile(source.key, target.key)
  await copyFile(source.secret, target.secret)
}
