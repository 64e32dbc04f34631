import { resolve } from 'node:path'
import { SetupError } from '../../../core/index.ts'
import type { BlobStore } from './blob-store.ts'
import { FolderStore } from './folder-store.ts'
import { type S3Options, S3Store } from './s3-store.ts'

type Credentials = Pick<S3Options, 'accessKeyId' | 'secretAccessKey'>

/**
 * Opens a store: a folder, or `s3://BUCKET/PREFIX?endpoint=URL&region=REGION`.
 * @throws SetupError
 */
export function openStore(where: string, credentials: Credentials | undefined): BlobStore {
  if (!where.startsWith('s3://')) return new FolderStore(resolve(where))
  const url = URL.canParse(where) ? new URL(where) : undefined
  if (url === undefined || url.hostname === '')
    throw new SetupError(`files: "${where}" is not s3://BUCKET/PREFIX?endpoint=URL&region=REGION`)
  if (credentials === undefined)
    throw new SetupError('files: a store at s3:// needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY')
  const region = url.searchParams.get('region') ?? 'us-east-1'
  const endpoint = url.searchParams.get('endpoint') ?? `https://s3.${region}.amazonaws.com`
  if (!URL.canParse(endpoint)) throw new SetupError(`files: the endpoint "${endpoint}" is not a URL`)
  const folder = url.pathname.replace(/^\/+|\/+$/g, '')
  const prefix = folder === '' ? '' : `${folder}/`
  return new S3Store({ endpoint, bucket: url.hostname, prefix, region, ...credentials })
}
