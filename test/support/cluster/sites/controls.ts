import { NUMBERS } from './flaws/auto-increment-hooks.ts'
import type { SitesPlay } from './play.ts'
import type { Sites } from './sites.ts'

/** Time within which everything has to be delivered, in milliseconds. */
const DELIVERED_MS = 5000
const restartAll = ({ all }: Sites, flaw: string) =>
  Promise.all(all.map(({ node }) => node.restartWith(new URL(`flaws/${flaw}.js`, import.meta.url))))

/** A fault that is built into the nodes; the judge has to find that messages are not pushed. */
interface Control {
  readonly name: string
  run(play: SitesPlay): Promise<void>
}

export const CONTROLS: readonly Control[] = [
  {
    name: 'wake-ups are taken as truth',
    async run({ sites, crowd }) {
      await restartAll(sites, 'wake-ups')
      for (const { nats } of sites.all) await nats.stop()
      await crowd.correspond(1)
    },
  },
  {
    name: 'numbers come from auto-increment',
    async run({ sites, crowd }) {
      await sites.all[0]?.database.run(NUMBERS)
      await restartAll(sites, 'auto-increment')
      await crowd.correspond(10)
    },
  },
]

/** Builds a fault into the nodes of a play, which ends with it. @returns the promises that were broken then */
export async function playControl(play: SitesPlay, { name, run }: Control): Promise<string[]> {
  const { crowd, judge } = play
  const before = crowd.breaches.all.length
  crowd.breaches.during = `control: ${name}`
  judge.lostMs = DELIVERED_MS
  await run(play)
  await judge.check()
  for (const { nats } of play.sites.all) {
    await nats.stop()
    await nats.start()
  }
  return crowd.breaches.all.slice(before)
}
