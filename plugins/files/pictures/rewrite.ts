import type { Pieces } from './pieces.ts'

/** A picture without metadata, not yet written. */
export interface Rewrite {
  readonly pieces: Pieces
  /** Pixels, as a reader sees them: with the orientation applied. From the header: the picture was not decoded. */
  readonly width: number
  readonly height: number
  /** False where viewers disagree on how the picture is turned. */
  readonly inline?: boolean
}
