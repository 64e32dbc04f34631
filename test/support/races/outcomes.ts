import type { RaceServer } from './race-server.ts'
import type { Crossing } from './requests.ts'
import { endWorld, makeWorld, observe, probe, type Scene, type World } from './world.ts'

export type Pair = readonly [Crossing, Crossing]

/** The observable outcome of two requests: replies, pushes, and the state afterwards. */
async function outcome(
  server: RaceServer,
  scene: Scene,
  act: (world: World) => Promise<readonly string[]>,
): Promise<string> {
  const world = await makeWorld(server, scene)
  const replies = await act(world)
  const seen = [JSON.stringify(replies).replaceAll(world.mark, 'w'), await observe(world), await probe(world)]
  await endWorld(world)
  return seen.join('\n')
}

const isRefused = (reply: string) => !reply.startsWith('{')

/** Makes a request and waits for the end of the sessions that it ends. */
async function asked(world: World, request: Crossing, side: number): Promise<string> {
  const reply = await request.ask(world, side)
  if (request.endsDave && !isRefused(reply)) await world.server.people.dave.closed
  return reply
}

/** The allowed outcomes of two concurrent requests: those of both serial orders. */
export async function serialOutcomes(server: RaceServer, scene: Scene, [one, other]: Pair): Promise<readonly string[]> {
  const first = await outcome(server, scene, async (world) => [
    await asked(world, one, 0),
    await asked(world, other, 1),
  ])
  const second = await outcome(server, scene, async (world) => {
    const late = await asked(world, other, 1)
    return [await asked(world, one, 0), late]
  })
  return [first, second]
}

/** The outcome of two requests that start in one turn of the event loop, in either order. */
export const crossedOutcome = (
  server: RaceServer,
  scene: Scene,
  [one, other]: Pair,
  { isSwapped, random }: { isSwapped: boolean; random: () => number },
): Promise<string> =>
  outcome(server, scene, async (world) => {
    server.jitter.random = random
    const asking = new Map<Crossing | 'again', Promise<string>>()
    const again = other === one ? 'again' : other
    if (isSwapped) asking.set(again, asked(world, other, 1))
    asking.set(one, asked(world, one, 0))
    if (!isSwapped) asking.set(again, asked(world, other, 1))
    const replies = await Promise.all([asking.get(one) as Promise<string>, asking.get(again) as Promise<string>])
    server.jitter.random = undefined
    return replies
  })

/** The differences between an outcome and each allowed one. */
export function difference(seen: string, allowed: readonly string[]): string {
  const lines = seen.split('\n')
  return allowed
    .map((order) => {
      const expected = order.split('\n')
      const more = lines.filter((line) => !expected.includes(line)).map((line) => `  at once ${line.trim()}`)
      const less = expected.filter((line) => !lines.includes(line)).map((line) => `  in turn ${line.trim()}`)
      return [...more, ...less].join('\n') || '  the same lines in another order'
    })
    .join('\n  or, beside the other order:\n')
}
