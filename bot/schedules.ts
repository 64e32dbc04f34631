import type { Client, KeptState } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'
import { chatWith } from './chats.ts'
import type { DefinedSchedule } from './definition.ts'
import { fitting } from './effects.ts'
import type { BotLog } from './log.ts'
import { Schedule } from './schedule.ts'
import type { ScheduleWork } from './work.ts'

/** What the wire takes as a state, in bytes. */
const MAX_STATE = 16_384

/** What the server keeps of a run of a schedule, from before it begins until after it has ended. */
interface Kept {
  /** When it was due, milliseconds since 1970. */
  readonly time: number
  /** Once the handler has finished: what is left to be done. */
  readonly finished?: { readonly answers: readonly number[]; readonly kept?: KeptState }
}

export interface SchedulesParts<State> {
  readonly schedules: readonly DefinedSchedule<State>[]
  readonly client: Client
  readonly consumer: string
  readonly clock: Clock
  readonly log: BotLog
  /** Takes the run of a schedule. */
  readonly begin: (work: ScheduleWork) => void
}

/**
 * The schedules of a bot. A run is kept with the bot's consumer before it begins, so after a restart it goes on; one at a
 * time of each schedule.
 */
export class Schedules<State> {
  readonly #parts: SchedulesParts<State>
  readonly #timers: Schedule[] = []
  /** Names of those whose handler runs. */
  readonly #running = new Set<string>()
  /** By name: the end of what is left to be done for the run before. */
  readonly #ends = new Map<string, Promise<void>>()

  constructor(parts: SchedulesParts<State>) {
    this.#parts = parts
  }

  /** Runs that had begun before a restart and go on now. Those that had only to be put away are. */
  async unfinished(): Promise<ScheduleWork[]> {
    const { client, consumer, schedules } = this.#parts
    const found: ScheduleWork[] = []
    for (const schedule of schedules) {
      const text = await client.consumerState(consumer, keyOf(schedule.name))
      if (text === '') continue
      const { time, finished } = JSON.parse(text) as Kept
      const work = toWork(schedule, new Date(time))
      if (finished !== undefined) await this.#putAway(work, finished)
      else {
        this.#running.add(schedule.name)
        found.push(work)
      }
    }
    return found
  }

  /** Begins to keep time. */
  start() {
    const { schedules, clock, log } = this.#parts
    for (const schedule of schedules) {
      const timer = new Schedule(schedule.cron, clock, (time) => {
        // Without its record it would be lost at a restart; the next time is another try.
        this.#due(schedule, time).catch((error) => {
          this.#running.delete(schedule.name)
          log.warn({ err: error, handler: `schedule ${schedule.name}`, time }, 'the run could not begin')
        })
      })
      this.#timers.push(timer)
      timer.start()
    }
  }

  stop() {
    for (const timer of this.#timers) timer.stop()
  }

  definitionOf({ schedule: name }: ScheduleWork): DefinedSchedule<State> {
    return this.#parts.schedules.find((schedule) => schedule.name === name) as DefinedSchedule<State>
  }

  /** The handler has finished: its answers are acknowledged, its state is kept, and the next run may come. */
  async finished(work: ScheduleWork, kept: KeptState | undefined) {
    const finished = { answers: [...work.answers.values()].map(({ id }) => id), ...(kept && { kept }) }
    const record = JSON.stringify({ time: work.time.getTime(), finished } satisfies Kept)
    // One that is too long for that is put away in one turn, and may be done again if the process ends within it.
    const needsRecord = finished.answers.length > 0 || kept !== undefined
    const end = (async () => {
      if (needsRecord && Buffer.byteLength(record) <= MAX_STATE) await this.#keep(work.schedule, record)
      await this.#putAway(work, finished)
    })()
    this.#ends.set(work.schedule, end)
    // The next run waits for that.
    this.#running.delete(work.schedule)
    await end
    if (this.#ends.get(work.schedule) === end) this.#ends.delete(work.schedule)
  }

  async #due(schedule: DefinedSchedule<State>, time: Date) {
    const { log, begin } = this.#parts
    if (this.#running.has(schedule.name))
      return log.warn(
        { handler: `schedule ${schedule.name}`, time },
        'the run before has not ended: this one is left out',
      )
    this.#running.add(schedule.name)
    await this.#ends.get(schedule.name)
    await this.#keep(schedule.name, JSON.stringify({ time: time.getTime() } satisfies Kept))
    begin(toWork(schedule, time))
  }

  async #putAway(work: ScheduleWork, { answers, kept }: NonNullable<Kept['finished']>) {
    const { client, consumer } = this.#parts
    await Promise.all([
      ...(kept === undefined ? [] : [client.acknowledgeEvent(consumer, 0, kept)]),
      ...answers.map((id) => client.acknowledgeEvent(consumer, id)),
    ])
    await this.#keep(work.schedule, '')
  }

  #keep(name: string, state: string) {
    const { client, consumer } = this.#parts
    return client.acknowledgeEvent(consumer, 0, { key: keyOf(name), state })
  }
}

const keyOf = (name: string) => fitting(`schedule ${name}`)

const toWork = <State>({ name, chat }: DefinedSchedule<State>, time: Date): ScheduleWork => ({
  key: `schedule/${name}/${time.getTime()}`,
  chat: chat === undefined ? `schedule ${name}` : chatWith(chat),
  answers: new Map(),
  schedule: name,
  time,
})
