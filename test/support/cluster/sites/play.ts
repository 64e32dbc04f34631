import type { ExecutionContext } from 'ava'
import { line } from '../../endurance/rounds.ts'
import type { Random } from '../../random.ts'
import { Crowd } from './crowd.ts'
import type { Fault } from './faults.ts'
import { Judge } from './judge.ts'
import { LogCopy } from './log-copy.ts'
import { openSites, type Sites } from './sites.ts'

/** Messages that are acknowledged before a fault, and after it. */
const BEFORE = 60
const AFTER = 20

/** Times of a round in milliseconds. */
export interface Times {
  readonly took: number
  /** From the end of the fault until all that was acknowledged is delivered. */
  readonly delivered: number
  /** The longest time for which a client that may go to any node had none. */
  readonly gap: number
  /** The longest time in which no message was acknowledged. */
  readonly pause: number
  /** From the end of the round until all nodes report the right users as online. */
  readonly presence: number
}

/** Users at three sites, with what they did and saw. */
export interface SitesPlay {
  readonly sites: Sites
  readonly crowd: Crowd
  readonly judge: Judge
  readonly offlineMs: number[]
  round(name: string, faults: readonly Fault[]): Promise<Times>
}

/** Opens three sites with users. @param env of the nodes */
export async function openPlay(
  t: ExecutionContext,
  random: Random,
  env: Readonly<Record<string, string>> = {},
): Promise<SitesPlay> {
  const sites = await openSites(t, env)
  const crowd = new Crowd(sites, random.fork())
  const log = new LogCopy(sites.all.map(({ database }) => database))
  const judge = new Judge(crowd, log)
  await crowd.register()
  await log.watch()
  await crowd.enter(t)
  const names = [
    ...crowd.people.map(({ name }) => name),
    ...crowd.neighbours.map(({ dweller }) => dweller.settings.user),
  ]
  const offlineMs: number[] = []
  const round = async (name: string, faults: readonly Fault[]): Promise<Times> => {
    const from = performance.now()
    crowd.breaches.during = name
    crowd.act()
    await crowd.more(BEFORE)
    for (const device of crowd.mobile) device.takeGap()
    await Promise.all(faults.map((fault) => fault.run({ sites, crowd, random, offlineMs })))
    const delivered = await judge.delivered()
    const gap = Math.max(...crowd.mobile.map((device) => device.takeGap()))
    await sites.whole()
    await crowd.more(AFTER)
    await crowd.rest()
    const pause = crowd.notes.ledger.longestPause
    await judge.check()
    const presence = await judge.presence(names)
    return { took: performance.now() - from, delivered, gap, pause, presence }
  }
  return { sites, crowd, judge, offlineMs, round }
}

/** Times in whole milliseconds on one line. */
export const timesLine = (times: object) =>
  line(Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, Math.round(ms)])))

/** The longest times of some rounds. */
export const longestOf = ([first, ...others]: readonly Times[]): Times =>
  others.reduce(
    (longest, one) => ({
      took: Math.max(longest.took, one.took),
      delivered: Math.max(longest.delivered, one.delivered),
      gap: Math.max(longest.gap, one.gap),
      pause: Math.max(longest.pause, one.pause),
      presence: Math.max(longest.presence, one.presence),
    }),
    first as Times,
  )
