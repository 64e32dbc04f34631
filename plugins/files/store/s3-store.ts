import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { AwsClient } from 'aws4fetch'
import { lruCache } from '../../../core/index.ts'
import type { BlobFacts, BlobStore } from './blob-store.ts'

export interface S3Options {
  /** Base URL of the service, without the bucket. */
  readonly endpoint: string
  readonly bucket: string
  /** Begins the names of all objects; empty or ending in `/`. */
  readonly prefix: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Bytes in one request: larger content goes in parts of this size, of which one is in memory. */
const PART_BYTES = 8 * 1024 * 1024
/** Bytes that are read in one request, and blocks of them in memory. */
const BLOCK_BYTES = 1024 * 1024
const KEPT_BLOCKS = 8
const TIMEOUT_MS = 60_000
const RETRIES = 2
const KEY = /^[0-9a-f]{64}$/

/** Content as objects of an S3 bucket, named by their keys. */
export class S3Store implements BlobStore {
  readonly #client: AwsClient
  readonly #bucketUrl: string
  readonly #prefix: string
  readonly #blocks = lruCache<string, Promise<Buffer | undefined>>(KEPT_BLOCKS)

  constructor({ endpoint, bucket, prefix, region, accessKeyId, secretAccessKey }: S3Options) {
    this.#client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: RETRIES })
    this.#bucketUrl = `${endpoint.replace(/\/$/, '')}/${bucket}`
    this.#prefix = prefix
  }

  async put(key: string, path: string) {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const part = async (at: number) => {
        const bytes = Buffer.allocUnsafe(Math.min(PART_BYTES, size - at))
        const { bytesRead } = await file.read(bytes, 0, bytes.length, at)
        if (bytesRead < bytes.length) throw new Error(`${path} has become shorter`)
        return bytes
      }
      if (size <= PART_BYTES) await this.#send('PUT', this.#url(key), await part(0))
      else await this.#putParts(key, size, part)
    } finally {
      await file.close()
    }
  }

  async read(key: string, offset: number, length: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = []
    for (let at = offset; at < offset + length; ) {
      const number = Math.floor(at / BLOCK_BYTES)
      const block = await this.#block(key, number)
      if (block === undefined) return undefined
      const part = block.subarray(at - number * BLOCK_BYTES, offset + length - number * BLOCK_BYTES)
      if (part.length > 0) parts.push(part)
      if (block.length < BLOCK_BYTES) break
      at = (number + 1) * BLOCK_BYTES
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }

  async stat(key: string): Promise<BlobFacts | undefined> {
    const response = await this.#fetch('HEAD', this.#url(key))
    if (response.status === 404) return undefined
    await checked(response)
    return { key, size: Number(response.headers.get('Content-Length')) }
  }

  async delete(key: string) {
    for (const name of this.#blocks.keys()) if (name.startsWith(key)) this.#blocks.delete(name)
    const response = await this.#fetch('DELETE', this.#url(key))
    if (response.status !== 404) await checked(response)
    await drained(response)
  }

  async *list(): AsyncGenerator<BlobFacts> {
    for (let next: string | undefined = ''; next !== undefined; ) {
      const query = new URLSearchParams({ 'list-type': '2', prefix: this.#prefix })
      if (next !== '') query.set('continuation-token', next)
      const page: string = await (
        await checked(await this.#fetch('GET', `${this.#bucketUrl}?${query.toString()}`))
      ).text()
      for (const [, entry = ''] of page.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
        const key = tagOf(entry, 'Key')?.slice(this.#prefix.length) ?? ''
        if (KEY.test(key)) yield { key, size: Number(tagOf(entry, 'Size')) }
      }
      next = tagOf(page, 'NextContinuationToken')
    }
  }

  /** A block of an object, shorter at its end. Kept for a while: readers take far smaller parts, one after another. */
  async #block(key: string, number: number): Promise<Buffer | undefined> {
    const name = `${key} ${number}`
    const block = this.#blocks.get(name) ?? this.#fetchBlock(key, number)
    this.#blocks.set(name, block)
    try {
      const bytes = await block
      if (bytes === undefined) this.#blocks.delete(name)
      return bytes
    } catch (error) {
      this.#blocks.delete(name)
      throw error
    }
  }

  async #fetchBlock(key: string, number: number): Promise<Buffer | undefined> {
    const offset = number * BLOCK_BYTES
    const headers = { Range: `bytes=${offset}-${offset + BLOCK_BYTES - 1}` }
    const response = await this.#fetch('GET', this.#url(key), { headers })
    if (response.status === 404) return drained(response)
    if (response.status === 416) {
      await drained(response)
      return Buffer.alloc(0)
    }
    await checked(response)
    const bytes = Buffer.from(await response.arrayBuffer())
    // 200: a service without ranges has sent the whole object.
    return response.status === 200 ? bytes.subarray(offset, offset + BLOCK_BYTES) : bytes
  }

  async #putParts(key: string, size: number, part: (at: number) => Promise<Buffer>) {
    const url = this.#url(key)
    const upload = tagOf(await (await this.#send('POST', `${url}?uploads=`)).text(), 'UploadId')
    if (upload === undefined) throw new Error('the store has begun no multipart upload')
    const id = encodeURIComponent(upload)
    try {
      const parts: string[] = []
      for (let at = 0; at < size; at += PART_BYTES) {
        const number = parts.length + 1
        const response = await this.#send('PUT', `${url}?partNumber=${number}&uploadId=${id}`, await part(at))
        const tag = response.headers.get('ETag')
        parts.push(`<Part><PartNumber>${number}</PartNumber><ETag>${tag}</ETag></Part>`)
      }
      const body = Buffer.from(`<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`)
      const answer = await (await this.#send('POST', `${url}?uploadId=${id}`, body)).text()
      // The status is sent before the outcome is known.
      if (answer.includes('<Error>')) throw new Error(`the store has refused the object: ${tagOf(answer, 'Code')}`)
    } catch (error) {
      await this.#fetch('DELETE', `${url}?uploadId=${id}`).then(drained, () => {})
      throw error
    }
  }

  /** Sends bytes, which the service compares with their SHA-256. */
  async #send(method: string, url: string, body?: Buffer): Promise<Response> {
    const headers =
      body === undefined ? {} : { 'X-Amz-Content-Sha256': createHash('sha256').update(body).digest('hex') }
    return checked(await this.#fetch(method, url, { headers, ...(body && { body }) }))
  }

  #fetch(method: string, url: string, init: { headers?: Record<string, string>; body?: Buffer } = {}) {
    return this.#client.fetch(url, { method, ...init, signal: AbortSignal.timeout(TIMEOUT_MS) } as RequestInit)
  }

  #url(key: string): string {
    if (!KEY.test(key)) throw new Error(`"${key}" is no key of the store`)
    return `${this.#bucketUrl}/${this.#prefix}${key}`
  }
}

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response
  const code = tagOf(await response.text(), 'Code') ?? ''
  throw new Error(`the store has answered ${response.status} ${code}`)
}

/** Ends a response that nobody reads: otherwise its connection stays busy. */
async function drained(response: Response): Promise<undefined> {
  await response.arrayBuffer()
}

const tagOf = (xml: string, tag: string) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1]
