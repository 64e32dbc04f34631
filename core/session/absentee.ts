import { Refused } from '../errors.ts'
import type { Peer } from './peer.ts'
import type { User, UserSession } from './session.ts'

/**
 * A session of a user who need not be here: for what the server does in their name, such as a message sent at a set
 * time. It is not among the sessions, so nobody sees the user online, and what is pushed to it goes nowhere.
 */
export class Absentee implements Peer, UserSession {
  readonly id: number
  readonly user: User
  readonly address = 'server'
  readonly network = 'server'
  readonly isOperator = false
  readonly handshakeHash = Buffer.alloc(32)
  readonly writable = false
  readonly open = true
  readonly progress = 2
  readonly inFlight = 0
  readonly closed = new Promise<void>(() => {})

  constructor(user: User, id: number) {
    this.user = user
    this.id = id
  }

  login(): UserSession {
    throw new Refused('not_allowed')
  }

  send() {}
  push() {}
  reply() {}
  refuse() {}
  fail() {}
  close() {}
  charge() {}
  requestStarted() {}
  requestEnded() {}
  watch() {}
  takeNoMore() {}
}
