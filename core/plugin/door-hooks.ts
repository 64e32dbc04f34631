/**
 * Hooks of Node's module loader, which runs them in a thread of its own: whoever imports `chatctl` gets the doors of the
 * server that runs, not a copy that lies nearer.
 */

type Next = (specifier: string, context: object) => unknown

let doors: Readonly<Record<string, string>> = {}

export function initialize(urls: Readonly<Record<string, string>>) {
  doors = urls
}

export function resolve(specifier: string, context: object, next: Next) {
  const url = doors[specifier]
  return url === undefined ? next(specifier, context) : { url, shortCircuit: true }
}
