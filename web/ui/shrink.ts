/** Longest side of a picture that is made smaller, in pixels. */
const MAX_SIDE = 2048
const QUALITY = 0.85

/** Pictures that stay what they are when they are drawn anew: neither animated nor of another kind. */
const SHRINKABLE = /^image\/(jpeg|png|webp)$/

export const isShrinkable = ({ type }: File) => SHRINKABLE.test(type)

/** A picture as it is seen: upright, at most 2048 pixels long, without what the camera wrote into it. */
export async function shrunk(file: File): Promise<File> {
  const bitmap = await createImageBitmap(file)
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height))
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)))
  const canvas = new OffscreenCanvas(width ?? 1, height ?? 1)
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
  bitmap.close()
  const type = file.type === 'image/jpeg' ? file.type : 'image/webp'
  const drawn = await canvas.convertToBlob({ type, quality: QUALITY })
  // Browsers that cannot write WebP write PNG.
  const name = `${file.name.replace(/\.[^.]*$/, '')}.${drawn.type.slice('image/'.length).replace('jpeg', 'jpg')}`
  return new File([drawn], name, { type: drawn.type })
}
