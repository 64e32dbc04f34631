export type PictureFault = 'truncated' | 'malformed' | 'unsupported'

/** A picture that is not taken: its metadata cannot be removed with certainty. */
export class PictureRefused extends Error {
  override readonly name = 'PictureRefused'
  readonly fault: PictureFault

  constructor(fault: PictureFault, text: string) {
    super(text)
    this.fault = fault
  }
}

export const malformed = (text: string) => new PictureRefused('malformed', text)
