const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** A number of bytes for people, as `1.2 MB`. */
export function byteSize(bytes: number): string {
  let value = bytes
  let unit = 0
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : Number(value.toFixed(1))} ${UNITS[unit]}`
}

/** Text of a message that has only a file: what a client that knows no files shows. */
export const fileCaption = ({ name, size }: { readonly name: string; readonly size: number }) =>
  `${name} (${byteSize(size)})`
