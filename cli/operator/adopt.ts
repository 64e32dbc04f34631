import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_ITERATIONS, deriveKeys, MIN_ITERATIONS, verifierOf } from '../../core/scram/index.ts'
import { isLine } from '../../core/wire/index.ts'
import {
  type AdoptionReport,
  adopt,
  adoptionReport,
  checkAdoption,
  isDatabaseUrl,
  openDatabase,
  withoutPassword,
} from '../../db/index.ts'
import { formatVerifier } from '../../plugins/accounts/verifier.ts'
import { CliError } from '../errors/exit.ts'
import { ProgressBar } from '../output/progress.ts'

export interface Adoption {
  /** URL of the original's database. */
  readonly url: string
  /** URL or file of the database to fill; the same URL adopts in place. */
  readonly where: string
  /** Report only; change nothing. */
  readonly dryRun: boolean
  /** Minutes east of UTC, see AdoptOptions. */
  readonly timeZone: number | undefined
  /** PBKDF2 iterations of the wrapped passwords. */
  readonly iterations: number | undefined
  readonly signal: AbortSignal
  /** The connection that holds the lock of the database to fill, if it is one of MySQL. */
  readonly own: number | undefined
}

type Knex = Awaited<ReturnType<typeof openDatabase>>

/** Takes over a database of the original chat room. @throws DatabaseError, CliError */
export async function adoptDatabase(adoption: Adoption): Promise<AdoptionReport> {
  const { url, where } = adoption
  const isInPlace = where === url
  if (adoption.dryRun) return dryRun(adoption)
  const source = await openDatabase(url, { readOnly: !isInPlace })
  try {
    if (isInPlace) return await run(adoption, source, source)
    if (!isDatabaseUrl(where)) await makeFile(where)
    const target = await openDatabase(where)
    try {
      return await run(adoption, source, target)
    } finally {
      await target.destroy()
    }
  } finally {
    await source.destroy()
  }
}

/** Adopts into a scratch database that is deleted afterwards: the report equals that of a real run. */
async function dryRun(adoption: Adoption): Promise<AdoptionReport> {
  const { url, where } = adoption
  const source = await openDatabase(url, { readOnly: true })
  const folder = await mkdtemp(join(tmpdir(), 'chatctl-adopt-'))
  try {
    if (isDatabaseUrl(where) || existsSync(where)) {
      const target = where === url ? source : await openDatabase(where)
      try {
        const earlier = await adoptionReport(target)
        if (earlier !== undefined) return earlier
        await checkAdoption({ ...options(adoption), source, target })
      } finally {
        if (target !== source) await target.destroy()
      }
    }
    const scratch = await openDatabase(join(folder, 'scratch.db'))
    try {
      return await run({ ...adoption, iterations: MIN_ITERATIONS }, source, scratch)
    } finally {
      await scratch.destroy()
    }
  } finally {
    await source.destroy()
    await rm(folder, { recursive: true, force: true })
  }
}

async function run(adoption: Adoption, source: Knex, target: Knex): Promise<AdoptionReport> {
  const progress = new ProgressBar()
  try {
    return await adopt({
      ...options(adoption),
      source,
      target,
      onProgress: (step, done, total) => {
        progress.update(step, done, total)
        adoption.signal.throwIfAborted()
      },
    })
  } finally {
    progress.end()
  }
}

const options = ({ url, timeZone, iterations = DEFAULT_ITERATIONS, own }: Adoption) => ({
  sourceName: withoutPassword(url),
  timeZone,
  ownConnection: own,
  isLine,
  async wrapPassword(digest: string) {
    const salt = randomBytes(32)
    const keys = await deriveKeys(digest, salt, iterations)
    return formatVerifier(verifierOf(keys, salt, iterations, 'md5x10'))
  },
})

/** Creates the file with mode 0600: SQLite gives the files beside it the same mode. */
async function makeFile(file: string) {
  await (await open(file, 'a', 0o600)).close()
}

/** Minutes east of UTC of `+08:00`. @throws CliError `usage` */
export function parseTimeZone(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, sign, hours, minutes] = /^([+-])(\d\d):([0-5]\d)$/.exec(text) ?? []
  if (hours === undefined || Number(hours) > 14)
    throw new CliError('usage', `--time-zone "${text}" is not of the form +08:00`)
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}
