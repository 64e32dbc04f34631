import { HttpRefusal } from '../../core/index.ts'
import type { Operation } from './operation.ts'

interface Path {
  readonly segments: readonly string[]
  readonly byMethod: Map<string, Operation>
}

export interface Match {
  readonly path: Path
  readonly parameters: readonly string[]
}

/** Finds the operation of a request. Fixed segments come before those that take any text. */
export class Router {
  readonly #paths: Path[] = []

  constructor(operations: readonly Operation[]) {
    for (const operation of operations) this.#add(operation)
    this.#paths.sort((a, b) => parametersIn(a) - parametersIn(b))
  }

  #add(operation: Operation) {
    const segments = operation.path.split('/')
    const path = this.#paths.find((other) => other.segments.join('/') === operation.path) ?? {
      segments,
      byMethod: new Map(),
    }
    if (!this.#paths.includes(path)) this.#paths.push(path)
    path.byMethod.set(operation.method, operation)
  }

  /** @param path below `/v1`, percent-encoded @throws HttpRefusal 404, 400 */
  match(path: string): Match {
    const given = path.split('/')
    for (const candidate of this.#paths) {
      const { segments } = candidate
      if (segments.length !== given.length) continue
      if (!segments.every((segment, index) => fits(segment, given[index] as string))) continue
      const parameters = given.filter((_, index) => segments[index]?.startsWith(':'))
      return { path: candidate, parameters: parameters.map(decodeSegment) }
    }
    throw new HttpRefusal(404, 'there is no such operation; /v1/openapi.json describes them')
  }
}

const fits = (segment: string, given: string) => (segment.startsWith(':') ? given !== '' : segment === given)

const parametersIn = ({ segments }: Path) => segments.filter((segment) => segment.startsWith(':')).length

/** @throws HttpRefusal 400 */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw new HttpRefusal(400, 'the path is not percent-encoded UTF-8')
  }
}

/** The operation of a method. @throws HttpRefusal 405 */
export function operationFor({ path: { byMethod } }: Match, method: string): Operation {
  const operation = byMethod.get(method === 'HEAD' ? 'GET' : method)
  if (operation === undefined) throw new HttpRefusal(405, undefined, { Allow: allowed(byMethod) })
  return operation
}

export const allowed = (byMethod: ReadonlyMap<string, unknown>): string =>
  ['OPTIONS', ...byMethod.keys(), ...(byMethod.has('GET') ? ['HEAD'] : [])].join(', ')
