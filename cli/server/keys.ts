import { randomBytes } from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import type { Logger } from 'pino'
import { generateKeyPair, type KeyPair, SetupError } from '../../core/index.ts'
import { exportPrivateKey, fingerprint, keyPairFromPrivateKey } from '../../core/noise/index.ts'
import { explained } from '../errors/explained.ts'
import { refuseForeign } from './data-folder.ts'
import type { dataPaths } from './paths.ts'

const KEY_BYTES = 32

export interface ServerKeys {
  readonly staticKey: KeyPair
  readonly secret: Buffer
}

/**
 * Loads the server's key and secret, or makes them.
 * @param isNew whether the database is new too: otherwise a missing key is a loss, which is logged
 * @throws SetupError when a file holds something else; CliError when others may read it
 */
export async function loadKeys(
  paths: ReturnType<typeof dataPaths>,
  { isNew, log }: { isNew: boolean; log: Logger },
): Promise<ServerKeys> {
  const load = async (path: string, make: () => Buffer, consequence: string) => {
    const there = await readKey(path)
    if (there !== undefined) return there
    const bytes = make()
    await writeKey(path, bytes)
    if (!isNew) log.warn({ path }, `the file was missing; a new one was created: ${consequence}`)
    return bytes
  }
  const key = await load(
    paths.key,
    () => exportPrivateKey(generateKeyPair()),
    'clients that know the old key refuse this server; put the old file back if there is a copy',
  )
  const secret = await load(
    paths.secret,
    () => randomBytes(KEY_BYTES),
    'clients that asked for challenges before can now tell names with an account from others',
  )
  return { staticKey: keyPairFromPrivateKey(key), secret }
}

/**
 * Fingerprint of the server of a data folder; undefined where it has no key yet.
 * @throws SetupError, CliError as `loadKeys`
 */
export async function serverFingerprint(paths: Pick<ReturnType<typeof dataPaths>, 'key'>): Promise<string | undefined> {
  const key = await readKey(paths.key)
  return key && fingerprint(keyPairFromPrivateKey(key).publicKey)
}

/** 32 bytes as base64 in a file that only its owner may read; undefined when there is none. */
async function readKey(path: string): Promise<Buffer | undefined> {
  let text: string
  try {
    text = await explained(`cannot read ${path}`, () => readFile(path, 'utf8'))
  } catch (error) {
    const { cause } = error as { cause?: NodeJS.ErrnoException }
    if (cause?.code === 'ENOENT') return undefined
    throw error
  }
  await refuseForeign(path, { isSecret: true })
  const bytes = Buffer.from(text.trim(), 'base64')
  if (bytes.length === KEY_BYTES) return bytes
  throw new SetupError(`${path} does not hold a key of ${KEY_BYTES} bytes in base64`)
}

/** Atomic: a truncated key would keep the server from starting. */
async function writeKey(path: string, bytes: Buffer) {
  await explained(`cannot write ${path}`, async () => {
    const draft = `${path}.new`
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(`${bytes.toString('base64')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  })
}
