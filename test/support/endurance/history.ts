/** A message as it was committed. */
export interface LoggedMessage {
  readonly id: number
  readonly senderId: number
  /** A group, or the recipient. */
  readonly targetId: number
  readonly isGroup: boolean
  readonly seq: number | null
  readonly text: string
}

/** What held from a number of the log on. */
export interface Since<T> {
  readonly from: number
  readonly value: T
}

/** What held at a number of the log; undefined before the first. @param history ascending */
export function valueAt<T>(history: readonly Since<T>[], at: number): T | undefined {
  return history.findLast(({ from }) => from <= at)?.value
}
