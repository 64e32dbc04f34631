/** Promises that were broken, with the fault that was on. */
export class Breaches {
  readonly all: string[] = []
  /** The fault of the moment. */
  during = ''

  add(what: string) {
    this.all.push(`${what} (${this.during})`)
  }
}
