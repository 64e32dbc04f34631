/** Longest side of a picture that is made smaller, in pixels. */
const MAX_SIDE = 2048
const QUALITY = 0.85

/** Pictures that stay what they are when they are drawn anew: neither animated nor of another kind. */
const SHRINKABLE = /^image\/(jpeg|png|webp)$/

export const isShrinkable = ({ type }: File) => SHRINKABLE.test(type)

interface Frame {
  /** The part of the picture that is drawn, at its middle. */
  readonly from: readonly [width: number, height: number]
  readonly to: readonly [width: number, height: number]
}

/** Draws a picture anew, upright, without what the camera wrote into it. */
function drawn(bitmap: ImageBitmap, { from, to }: Frame): OffscreenCanvas {
  const canvas = new OffscreenCanvas(...(to.map((side) => Math.max(1, Math.round(side))) as [number, number]))
  const [x, y] = [(bitmap.width - from[0]) / 2, (bitmap.height - from[1]) / 2]
  canvas.getContext('2d')?.drawImage(bitmap, x, y, ...from, 0, 0, canvas.width, canvas.height)
  return canvas
}

/** A picture as it is seen, at most 2048 pixels long. */
export async function shrunk(file: File): Promise<File> {
  const bitmap = await createImageBitmap(file)
  const from = [bitmap.width, bitmap.height] as const
  const scale = Math.min(1, MAX_SIDE / Math.max(...from))
  const canvas = drawn(bitmap, { from, to: [from[0] * scale, from[1] * scale] })
  const type = file.type === 'image/jpeg' ? file.type : 'image/webp'
  const content = await canvas.convertToBlob({ type, quality: QUALITY })
  // Browsers that cannot write WebP write PNG.
  const name = `${file.name.replace(/\.[^.]*$/, '')}.${content.type.slice('image/'.length).replace('jpeg', 'jpg')}`
  return new File([content], name, { type: content.type })
}

/** Sides and qualities of an avatar that are tried until it fits. */
const AVATAR_SIDES = [64, 48, 32]
const AVATAR_QUALITIES = [0.8, 0.6, 0.4]
/** Characters of base64, which leave room for the rest of the profile's 2,048. */
const MAX_AVATAR = 1900

/** The middle of a picture, small enough for a profile, in base64. @throws Error */
export async function avatarPicture(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file)
  const side = Math.min(bitmap.width, bitmap.height)
  for (const to of AVATAR_SIDES) {
    const canvas = drawn(bitmap, { from: [side, side], to: [to, to] })
    for (const quality of AVATAR_QUALITIES) {
      const webp = await canvas.convertToBlob({ type: 'image/webp', quality })
      const content = webp.type === 'image/webp' ? webp : await canvas.convertToBlob({ type: 'image/jpeg', quality })
      const picture = btoa(String.fromCharCode(...new Uint8Array(await content.arrayBuffer())))
      if (picture.length <= MAX_AVATAR) return picture
    }
  }
  throw new Error('this picture cannot be made small enough')
}
