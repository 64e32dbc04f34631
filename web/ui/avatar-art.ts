import { createAvatar } from '@dicebear/core'
import * as pixelArt from '@dicebear/pixel-art'

/** An avatar as SVG, made from the user's name. Never from a text of the network. */
export const drawAvatar = (seed: string): string => createAvatar(pixelArt, { seed }).toString()
