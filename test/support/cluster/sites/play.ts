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

/** What a round took, in milliseconds. */
export interface RoundFigures {
  readonly fault: Fault
  /** From the end of the fault until all that was acknowledged is delivered. */
  readonly delivered: number
  /** The longest time for which a client that may go to any node had none. */
  readonly gap: number
  /** From the end of the round until all nodes report the right users as online. */
  readonly presence: number
}

/** Users at three sites, with what they did and saw. */
export interface SitesPlay {
  readonly sites: Sites
  readonly crowd: Crowd
  readonly judge: Judge
  readonly offlineMs: number[]
  round(name: string, fault: Fault): Promise<RoundFigures>
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
  const round = async (name: string, fault: Fault): Promise<RoundFigures> => {
    crowd.breaches.during = name
    crowd.act()
    await crowd.more(BEFORE)
    for (const device of crowd.mobile) device.takeGap()
    await fault.run({ sites, crowd, random, offlineMs })
    const delivered = await judge.delivered()
    const gap = Math.max(...crowd.mobile.map((device) => device.takeGap()))
    await sites.whole()
    await crowd.more(AFTER)
    await crowd.rest()
    await judge.check()
    return { fault, delivered, gap, presence: await judge.presence(names) }
  }
  return { sites, crowd, judge, offlineMs, round }
}

/** The figures of rounds by fault, each the longest of its rounds. */
export function report(rounds: readonly RoundFigures[]): string[] {
  const byFault = new Map<Fault, RoundFigures[]>()
  for (const one of rounds) byFault.set(one.fault, [...(byFault.get(one.fault) ?? []), one])
  const longest = (of: readonly RoundFigures[], figure: 'delivered' | 'gap' | 'presence') =>
    Math.round(Math.max(...of.map((one) => one[figure])))
  return [...byFault].map(([{ name }, of]) => {
    const figures = { delivered: longest(of, 'delivered'), gap: longest(of, 'gap'), presence: longest(of, 'presence') }
    return line({ [`${name}, rounds`]: of.length, ...figures })
  })
}
