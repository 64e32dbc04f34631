import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative, sep } from 'node:path'

/** A file in one encoding. */
export interface Representation {
  readonly body: Buffer
  readonly etag: string
}

export type Encoding = 'br' | 'gzip' | 'identity'

export interface StaticFile {
  readonly type: string
  /** True for a file whose name changes with its content. */
  readonly isImmutable: boolean
  readonly encodings: ReadonlyMap<Encoding, Representation>
}

/** Files by the path of their URL. A path that is not a key reaches nothing, whatever it contains. */
export type StaticFiles = ReadonlyMap<string, StaticFile>

export const INDEX = 'index.html'

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
}

/** Files that a build has compressed lie beside the original. */
const COMPRESSED: Readonly<Record<string, Encoding>> = { '.br': 'br', '.gz': 'gzip' }

/** `chat-K3XQ7ZPA.js`: a hash of esbuild in the name. */
const HASHED = /[-.][0-9A-Z]{8}\.\w+$/

/** Reads a folder with all that is in it. Files without a known ending are left out. */
export async function staticFiles(folder: string): Promise<StaticFiles> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
  const files = new Map<string, StaticFile>()
  for (const name of names.filter((name) => extname(name) in TYPES)) {
    const variants = Object.entries(COMPRESSED).filter(([ending]) => names.includes(name + ending))
    const bodies: [Encoding, Buffer][] = [['identity', await readFile(join(folder, name))]]
    for (const [ending, encoding] of variants) bodies.push([encoding, await readFile(join(folder, name + ending))])
    files.set(`/${name.split(sep).join('/')}`, staticFile(name, bodies))
  }
  return withRoot(files)
}

export function staticFile(name: string, bodies: readonly (readonly [Encoding, Buffer])[]): StaticFile {
  return {
    type: TYPES[extname(name)] as string,
    isImmutable: HASHED.test(name),
    encodings: new Map(bodies.map(([encoding, body]) => [encoding, { body, etag: etagOf(body) }])),
  }
}

/** The folder's own address is that of its index. */
export function withRoot(files: Map<string, StaticFile>): StaticFiles {
  const index = files.get(`/${INDEX}`)
  if (index !== undefined) files.set('/', index)
  return files
}

const etagOf = (body: Buffer) => `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
