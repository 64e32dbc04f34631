import type { Client, KeptState } from '../client/index.ts'
import type { Clock } from '../core/clock.ts'
import { chatWith } from './chats.ts'
import type { DefinedSchedule } from './definition.ts'
import { toWireKey } from './effects.ts'
import type { BotLog } from './log.ts'
import { Schedule } from './schedule.ts'
import { MAX_STATE_BYTES } from './state.ts'
import type { ScheduleWork } from './work.ts'

/** Record of a run, stored with the consumer from before the run starts until it is complete. */
interface RunRecord {
  /** Due time, milliseconds since 1970. */
  readonly time: number
  /** Set once the handler has finished: ids of answers to acknowledge, and the state to store. */
  readonly finished?: { readonly answers: readonly number[]; readonly kept?: KeptState }
}

export interface SchedulesParts<State> {
  readonly schedules: readonly DefinedSchedule<State>[]
  readonly client: Client
  readonly consumer: string
  readonly clock: Clock
  readonly log: BotLog
  /** Queues a run. */
  readonly begin: (work: ScheduleWork) => void
}

/**
 * The schedules of a bot. Each run is recorded with the consumer before it starts, so that a restart resumes it. At most
 * one run per schedule is active.
 */
export class Schedules<State> {
  readonly #parts: SchedulesParts<State>
  readonly #timers: Schedule[] = []
  /** Names of schedules with an active run. */
  readonly #running = new Set<string>()
  /** Completion of the previous run, by name of the schedule. */
  readonly #completions = new Map<string, Promise<void>>()

  constructor(parts: SchedulesParts<State>) {
    this.#parts = parts
  }

  /** Runs to resume after a restart. Runs whose handler had finished are completed here. */
  async unfinished(): Promise<ScheduleWork[]> {
    const { client, consumer, schedules } = this.#parts
    const found: ScheduleWork[] = []
    for (const schedule of schedules) {
      const text = await client.consumerState(consumer, keyOf(schedule.name))
      if (text === '') continue
      const { time, finished } = JSON.parse(text) as RunRecord
      const work = toWork(schedule, new Date(time))
      if (finished !== undefined) await this.#complete(work, finished)
      else {
        this.#running.add(schedule.name)
        found.push(work)
      }
    }
    return found
  }

  /** Starts the timers. */
  start() {
    const { schedules, clock, log } = this.#parts
    for (const schedule of schedules) {
      const timer = new Schedule(schedule.cron, clock, (time) => {
        // Not started without a record, which a restart would need; the next due time tries again.
        this.#due(schedule, time).catch((error) => {
          this.#running.delete(schedule.name)
          log.warn({ err: error, handler: `schedule ${schedule.name}`, time }, 'skipped a run: could not record it')
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

  /** The handler has finished: acknowledges its answers, stores its state and lets the next run start. */
  async finished(work: ScheduleWork, kept: KeptState | undefined) {
    const finished = { answers: [...work.answers.values()].map(({ id }) => id), ...(kept && { kept }) }
    const record = JSON.stringify({ time: work.time.getTime(), finished } satisfies RunRecord)
    // A record that is too long is skipped: if the process dies before completion, the run is repeated.
    const needsRecord = finished.answers.length > 0 || kept !== undefined
    const completion = (async () => {
      if (needsRecord && Buffer.byteLength(record) <= MAX_STATE_BYTES) await this.#store(work.schedule, record)
      await this.#complete(work, finished)
    })()
    this.#completions.set(work.schedule, completion)
    // `#due` awaits the completion.
    this.#running.delete(work.schedule)
    await completion
    if (this.#completions.get(work.schedule) === completion) this.#completions.delete(work.schedule)
  }

  async #due(schedule: DefinedSchedule<State>, time: Date) {
    const { log, begin } = this.#parts
    if (this.#running.has(schedule.name))
      return log.warn({ handler: `schedule ${schedule.name}`, time }, 'skipped a run: the previous one has not ended')
    this.#running.add(schedule.name)
    await this.#completions.get(schedule.name)
    await this.#store(schedule.name, JSON.stringify({ time: time.getTime() } satisfies RunRecord))
    begin(toWork(schedule, time))
  }

  async #complete(work: ScheduleWork, { answers, kept }: NonNullable<RunRecord['finished']>) {
    const { client, consumer } = this.#parts
    await Promise.all([
      ...(kept === undefined ? [] : [client.acknowledgeEvent(consumer, 0, kept)]),
      ...answers.map((id) => client.acknowledgeEvent(consumer, id)),
    ])
    await this.#store(work.schedule, '')
  }

  #store(name: string, state: string) {
    const { client, consumer } = this.#parts
    return client.acknowledgeEvent(consumer, 0, { key: keyOf(name), state })
  }
}

const keyOf = (name: string) => toWireKey(`schedule ${name}`)

const toWork = <State>({ name, chat }: DefinedSchedule<State>, time: Date): ScheduleWork => ({
  key: `schedule/${name}/${time.getTime()}`,
  chat: chat === undefined ? `schedule ${name}` : chatWith(chat),
  answers: new Map(),
  schedule: name,
  time,
})
