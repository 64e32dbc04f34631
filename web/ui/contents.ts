import { thumbHashToDataURL } from 'thumbhash'
import type { AttachedFile } from '../shared/model.ts'
import { call } from './worker.ts'

/** Pictures that the page shows inside itself; anything else is only offered for download. */
const PICTURE_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif']
/** A picture without a preview is loaded up to this size. */
const MAX_UNASKED_BYTES = 1024 * 1024
/** Addresses of loaded pictures. The oldest is given up; what is on the screen stays there. */
const MAX_LOADED = 100
/** Time for which a browser may take a download. */
const DOWNLOAD_MS = 60_000

/** Whether the file itself may be shown: the server gives the size of such pictures only. */
export const isPicture = ({ type, width = 0 }: AttachedFile) => width > 0 && PICTURE_TYPES.includes(type)

/** Whether a picture is shown without being asked for. */
export const isShownInline = (file: AttachedFile) => file.preview || (isPicture(file) && file.size <= MAX_UNASKED_BYTES)

/** What the progress of a download is about, as in worker/transfers.ts. */
export const contentKey = ({ id }: AttachedFile) => `file ${id}`

const loaded = new Map<string, Promise<string>>()

/** Address of a picture, which is loaded once. @throws CallError */
export function pictureOf(file: AttachedFile, variant: 'original' | 'preview'): Promise<string> {
  const key = `${file.id} ${variant}`
  const known = loaded.get(key)
  if (known !== undefined) return known
  // An address of this origin: a type that runs scripts must not get one.
  const type = variant === 'original' && isPicture(file) ? file.type : 'image/webp'
  const loading = call('content', { file: file.id, variant }).then((content) =>
    URL.createObjectURL(new Blob([content], { type })),
  )
  loaded.set(key, loading)
  loading.catch(() => loaded.delete(key))
  for (const [oldest, url] of loaded) {
    if (loaded.size <= MAX_LOADED) break
    loaded.delete(oldest)
    url.then(URL.revokeObjectURL, () => undefined)
  }
  return loading
}

/** Hands a file to the browser's downloads. @throws CallError */
export async function download(file: AttachedFile) {
  const content = await call('content', { file: file.id, variant: 'original' })
  const url = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }))
  Object.assign(document.createElement('a'), { href: url, download: file.name }).click()
  setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_MS)
}

/** A blurred picture to look at until the real one is there. */
export function placeholderOf({ thumbhash = '' }: AttachedFile): string | undefined {
  if (thumbhash === '') return undefined
  try {
    return thumbHashToDataURL(Uint8Array.from(atob(thumbhash), (byte) => byte.charCodeAt(0)))
  } catch {
    // The text of another user may be anything.
    return undefined
  }
}
