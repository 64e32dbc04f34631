/** Pictures of the plugin `files`: their types, their bytes without metadata, and their previews. */

export { type Examined, examine, typeOf } from './examine.ts'
export { fileSource } from './file-source.ts'
export { MAX_PIXELS, type Picture } from './kind.ts'
export { rewritten } from './pieces.ts'
export type { Preview } from './preview-process.ts'
export { type PreviewParts, Previews } from './previews.ts'
export { type PictureFault, PictureRefused } from './refusal.ts'
export { bytesSource, type Source } from './source.ts'
