import type { NatsConnection } from '@nats-io/transport-node'
import type { Answers, Cluster } from '../../../core/index.ts'
import type { LinkFigures, Self } from './link.ts'

type Listener = (payload: unknown, from: number) => void
type Responder = (question: unknown, from: number) => unknown

/** Longest wait for the answers of other nodes, in milliseconds. */
const ANSWER_MS = 2000
/** Nodes say something each second: one that was not heard for so long is killed or cut off, and is not waited for. */
const QUIET_MS = 3000

interface Question {
  /** Nodes that have not answered. */
  readonly silent: Set<number>
  readonly answers: Map<number, unknown>
  end(): void
}

/**
 * What nodes say, over NATS: `chatctl.ROOM.say.TOPIC` to all, `chatctl.ROOM.ask.TOPIC` to all, `chatctl.ROOM.to.NODE` for
 * answers. Messages are JSON lists that begin with the sender. While there is no connection all is lost.
 */
export class NatsCluster implements Cluster {
  readonly node: number
  readonly #self: Self
  readonly #prefix: string
  readonly #listeners = new Map<string, Listener[]>()
  readonly #responders = new Map<string, Responder>()
  readonly #gapListeners = new Set<() => void>()
  readonly #questions = new Map<number, Question>()
  readonly #figures = { said: 0, heard: 0, lost: 0, gaps: 0 }
  /** When other nodes were last heard on this connection. */
  readonly #heardAt = new Map<number, number>()
  #connection: NatsConnection | undefined
  #asked = 0

  constructor(self: Self) {
    this.node = self.node
    this.#self = self
    this.#prefix = `chatctl.${self.room}`
  }

  get figures(): LinkFigures {
    return this.#figures
  }

  /**
   * Speaks through this connection from now on. What was said before it is lost.
   * @throws errors of NATS if the connection is lost meanwhile
   */
  async attach(connection: NatsConnection) {
    const subscribe = (subject: string, take: (rest: string, read: () => unknown[]) => void) =>
      connection.subscribe(`${this.#prefix}.${subject}`, {
        callback: (error, message) => {
          if (error !== null) return this.#lose(error, subject)
          const rest = message.subject.slice(this.#prefix.length + subject.indexOf('.') + 2)
          this.#guard(subject, () => take(rest, () => message.json<unknown[]>()))
        },
      })
    subscribe('say.>', (topic, read) => this.#heard(topic, read))
    subscribe('ask.>', (topic, read) => {
      const [from, id, question] = read()
      this.#noteHeard(Number(from))
      void this.#asks(topic, question, Number(from), Number(id))
    })
    subscribe(`to.${this.node}`, (_rest, read) => {
      const [from, id, ...answer] = read()
      this.#noteHeard(Number(from))
      this.#answered(Number(id), Number(from), answer)
    })
    this.#connection = connection
    this.#heardAt.clear()
    // From the server's answer on, nothing that is said at that server is missed.
    await connection.flush()
    this.#figures.gaps++
    for (const listener of this.#gapListeners) this.#guard('gap', listener)
  }

  /** The connection is lost. */
  detach() {
    this.#connection = undefined
    for (const question of this.#questions.values()) question.end()
  }

  say(topic: string, payload: unknown) {
    this.#publish(`say.${topic}`, [this.node, payload])
  }

  hear(topic: string, listener: Listener) {
    const of = () => this.#listeners.get(topic) ?? []
    this.#listeners.set(topic, [...of(), listener])
    return () => {
      this.#listeners.set(
        topic,
        of().filter((one) => one !== listener),
      )
    }
  }

  async ask<T>(topic: string, question: unknown): Promise<Answers<T>> {
    const silent = new Set(this.#self.others().filter((node) => !this.#isQuiet(node)))
    const answers = new Map<number, unknown>()
    if (silent.size > 0) {
      const id = ++this.#asked
      await new Promise<void>((end) => {
        const timer = this.#self.clock.after(ANSWER_MS, end)
        this.#questions.set(id, {
          silent,
          answers,
          end: () => {
            timer.cancel()
            end()
          },
        })
        if (!this.#publish(`ask.${topic}`, [this.node, id, question])) this.#questions.get(id)?.end()
      })
      this.#questions.delete(id)
    }
    const missing = this.#self.others().filter((node) => !answers.has(node))
    return { answers: answers as Map<number, T>, silent: missing }
  }

  answer(topic: string, respond: Responder) {
    this.#responders.set(topic, respond)
    return () => void this.#responders.delete(topic)
  }

  onGap(listener: () => void) {
    this.#gapListeners.add(listener)
    return () => void this.#gapListeners.delete(listener)
  }

  #noteHeard(node: number) {
    this.#heardAt.set(node, this.#self.clock.now())
  }

  /** False for a node that was not heard at all: it may have just joined. */
  #isQuiet(node: number): boolean {
    return this.#self.clock.now() - (this.#heardAt.get(node) ?? this.#self.clock.now()) > QUIET_MS
  }

  #heard(topic: string, read: () => unknown[]) {
    this.#figures.heard++
    const listeners = this.#listeners.get(topic)
    // Not for this node: many topics end with the node that they are for.
    if (listeners === undefined) return
    const [from, payload] = read()
    this.#noteHeard(Number(from))
    for (const listener of listeners) this.#guard(topic, () => listener(payload, Number(from)))
  }

  async #asks(topic: string, question: unknown, from: number, id: number) {
    let answer: unknown[] = []
    try {
      const given = await this.#responders.get(topic)?.(question, from)
      if (given !== undefined) answer = [given]
    } catch (error) {
      this.#self.log.error({ err: error, topic, from }, 'a question of another node failed')
    }
    // Also when there is none, so that nobody waits for it.
    this.#publish(`to.${from}`, [this.node, id, ...answer])
  }

  #answered(id: number, from: number, answer: unknown[]) {
    const question = this.#questions.get(id)
    if (question === undefined) return
    if (answer.length > 0) question.answers.set(from, answer[0])
    question.silent.delete(from)
    if (question.silent.size === 0) question.end()
  }

  /** @returns whether the message was handed to the connection */
  #publish(subject: string, parts: unknown[]): boolean {
    if (this.#connection === undefined) {
      this.#figures.lost++
      return false
    }
    try {
      this.#connection.publish(`${this.#prefix}.${subject}`, JSON.stringify(parts))
      this.#figures.said++
      return true
    } catch (error) {
      this.#lose(error, subject)
      return false
    }
  }

  #guard(subject: string, act: () => void) {
    try {
      act()
    } catch (error) {
      this.#lose(error, subject)
    }
  }

  #lose(error: unknown, subject: string) {
    this.#figures.lost++
    this.#self.log.error({ err: error, subject }, 'a message between nodes was lost')
  }
}
