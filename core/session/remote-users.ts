import type { Clock } from '../clock.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { User } from './user.ts'

/** A node that was not heard for so long has no users: with the time until a look finds it, less than 10 s. */
const SILENCE_MS = 8000
/** Sessions on a node that was not heard for so long do not keep their user from new ones: it may have ended. */
const DOUBT_MS = 3000
/** How often nodes are looked at. */
const LOOK_MS = 1000
/** Time between two requests for the users of one node. */
const REQUEST_MS = 1000

/** Sessions of one user on a node; 0: the user has none there any more. */
export type UserSessions = readonly [
  sessions: number,
  ...user: [id: number, name: string, nickname: string, role: User['role']],
]

/** What a node tells of its users. */
export interface PresenceReport {
  /** Reports of one node are numbered: a gap tells that one was lost. */
  readonly number: number
  readonly users: readonly UserSessions[]
  /** First report of a list of all users. */
  readonly begins?: boolean
  /** Last report of a list: a user who was in none of them has no session there. */
  readonly ends?: boolean
}

/** Asks a node, or each, for a list of all users. */
export interface PresenceRequest {
  /** 0: each node. */
  readonly node: number
}

interface Peer {
  heardAt: number
  /** Number of the next report; undefined while one is missing, until the next list. */
  next: number | undefined
  readonly users: Set<number>
  /** Users that the list in progress has not named yet. */
  unconfirmed: Set<number> | undefined
  requestedAt: number
}

interface Place {
  readonly peer: Peer
  readonly node: number
  sessions: number
}

interface Present {
  readonly user: User
  readonly places: Place[]
}

export interface RemoteUsersParts {
  readonly cluster: Cluster
  readonly clock: Clock
}

/** The users who have sessions on other nodes, as those nodes tell it: late by the way of a report, 100 ms at most. */
export class RemoteUsers {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #byUser = new Map<number, Present>()
  readonly #peers = new Map<number, Peer>()
  #onChange: (user: User, hasSessions: boolean) => void = () => {}
  #lookedAt = 0

  constructor({ cluster, clock }: RemoteUsersParts) {
    this.#cluster = cluster
    this.#clock = clock
  }

  /** Hears the other nodes. @param onChange a user has got the first session on another node, or lost the last one */
  start(onChange: (user: User, hasSessions: boolean) => void): () => void {
    this.#onChange = onChange
    this.#lookedAt = this.#clock.now()
    const looks = this.#clock.every(LOOK_MS, () => this.#look()).unref()
    const ends = [
      this.#cluster.hear('presence', (report, from) => this.#heard(from, report as PresenceReport)),
      this.#cluster.onGap(() => this.#request(0)),
    ]
    this.#request(0)
    return () => {
      looks.cancel()
      for (const end of ends) end()
    }
  }

  has(userId: number): boolean {
    return this.#byUser.has(userId)
  }

  /** Nodes with a session of the user. */
  *nodesOf(userId: number): Generator<number, void, void> {
    for (const { node } of this.#byUser.get(userId)?.places ?? []) yield node
  }

  sessionsOf(userId: number): number {
    return (this.#byUser.get(userId)?.places ?? []).reduce((sum, { sessions }) => sum + sessions, 0)
  }

  /** Sessions on nodes that certainly live. */
  certainSessionsOf(userId: number): number {
    const since = this.#clock.now() - DOUBT_MS
    return (this.#byUser.get(userId)?.places ?? []).reduce(
      (sum, { peer, sessions }) => sum + (peer.heardAt >= since ? sessions : 0),
      0,
    )
  }

  #heard(node: number, { number, users, begins = false, ends = false }: PresenceReport) {
    const peer = this.#peerOf(node)
    peer.heardAt = this.#clock.now()
    if (begins) peer.unconfirmed = new Set(peer.users)
    else if (number !== peer.next) {
      peer.next = undefined
      peer.unconfirmed = undefined
      if (peer.heardAt - peer.requestedAt < REQUEST_MS) return
      peer.requestedAt = peer.heardAt
      return this.#request(node)
    }
    peer.next = number + 1
    for (const [sessions, id, name, nickname, role] of users) {
      peer.unconfirmed?.delete(id)
      this.#set(node, peer, { id, name, nickname, role }, sessions)
    }
    if (!ends) return
    for (const id of peer.unconfirmed ?? []) this.#remove(peer, id)
    peer.unconfirmed = undefined
  }

  #peerOf(node: number): Peer {
    const known = this.#peers.get(node)
    if (known !== undefined) return known
    const requestedAt = Number.NEGATIVE_INFINITY
    const peer = { heardAt: 0, next: undefined, users: new Set<number>(), unconfirmed: undefined, requestedAt }
    this.#peers.set(node, peer)
    return peer
  }

  #set(node: number, peer: Peer, user: User, sessions: number) {
    if (sessions === 0) return this.#remove(peer, user.id)
    peer.users.add(user.id)
    const present = this.#byUser.get(user.id)
    if (present === undefined) {
      this.#byUser.set(user.id, { user, places: [{ peer, node, sessions }] })
      return this.#onChange(user, true)
    }
    const place = present.places.find((one) => one.peer === peer)
    if (place === undefined) present.places.push({ peer, node, sessions })
    else place.sessions = sessions
  }

  #remove(peer: Peer, userId: number) {
    peer.users.delete(userId)
    const present = this.#byUser.get(userId)
    const at = present?.places.findIndex((one) => one.peer === peer) ?? -1
    if (present === undefined || at < 0) return
    present.places.splice(at, 1)
    if (present.places.length > 0) return
    this.#byUser.delete(userId)
    this.#onChange(present.user, false)
  }

  /** Takes the users of silent nodes off. */
  #look() {
    const now = this.#clock.now()
    const wasPaused = now - this.#lookedAt > SILENCE_MS / 2
    this.#lookedAt = now
    if (wasPaused) {
      // This node has not listened, so silence tells nothing.
      for (const peer of this.#peers.values()) peer.heardAt = now
      return this.#request(0)
    }
    for (const [node, peer] of this.#peers) {
      if (now - peer.heardAt < SILENCE_MS) continue
      this.#peers.delete(node)
      for (const id of peer.users) this.#remove(peer, id)
    }
  }

  #request(node: number) {
    const request: PresenceRequest = { node }
    this.#cluster.say('presence.wanted', request)
  }
}
