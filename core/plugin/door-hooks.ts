/**
 * Hooks of Node's module loader, which runs them in a separate thread: an import of `chatctl` resolves to the exports of
 * the running server, not to a copy installed nearer to the importer.
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
