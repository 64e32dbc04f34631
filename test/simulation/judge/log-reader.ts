import { GROUP_LANE, MSG_TYPE, PRIVATE } from '../../../db/messages.ts'
import { type Database, Sqlite } from '../../../db/sqlite-driver.ts'
import { type LoggedMessage, type Since, valueAt } from '../../support/endurance/history.ts'

interface MessageRow {
  readonly id: number
  readonly user_id: number
  readonly target_id: number
  readonly msg_type: number
  readonly seq: number | null
  readonly msg: string
}

interface ChangeRow {
  readonly id: number
  readonly topic: string
  readonly subject: number
}

/** Reads the log after each commit, and what the database says of groups and blocks at that number. */
export class LogReader {
  readonly messages = new Map<number, LoggedMessage>()
  readonly #connection: Database
  readonly #statements
  readonly #members = new Map<number, Since<ReadonlySet<number>>[]>()
  readonly #blocks: Since<ReadonlySet<string>>[] = [{ from: 0, value: new Set() }]
  /** Texts of messages that were edited. */
  readonly #texts = new Map<number, Since<string>[]>()
  /** Recalled messages, with the number of the recall. */
  readonly #recalls = new Map<number, number>()
  #head: number

  /** @param file of the database, which holds no messages yet */
  constructor(file: string) {
    this.#connection = new Sqlite(file)
    this.#statements = prepare(this.#connection)
    this.#head = this.#statements.head.get() as number
  }

  /** The highest number. */
  get head(): number {
    return this.#head
  }

  /** Reads what was committed. */
  read() {
    const head = this.#statements.head.get() as number
    if (head === this.#head) return
    for (const row of this.#statements.messages.all(this.#head, head) as MessageRow[])
      if (row.msg_type === MSG_TYPE.group || PRIVATE.includes(row.msg_type))
        this.messages.set(row.id, {
          id: row.id,
          senderId: row.user_id,
          targetId: row.target_id,
          isGroup: row.msg_type === MSG_TYPE.group,
          seq: row.seq,
          text: row.msg,
        })
    for (const { id, topic, subject } of this.#statements.changes.all(this.#head, head) as ChangeRow[]) {
      if (topic === 'group') this.#addMembers(subject, id)
      else if (topic === 'relation') this.#blocks.push({ from: id, value: this.#readBlocks() })
      else if (topic === 'edit') this.#addText(subject, id)
      else if (topic === 'recall') this.#recalls.set(subject, id)
    }
    this.#head = head
  }

  /** Whether a user was a member of a group when a number was taken. */
  isMember(groupId: number, userId: number, at: number): boolean {
    return valueAt(this.#members.get(groupId) ?? [], at)?.has(userId) ?? false
  }

  /** Whether a user has been a member without a break from a number on, until another or until now. */
  isMemberSince(groupId: number, userId: number, from: number, upTo = this.#head): boolean {
    const later = (this.#members.get(groupId) ?? []).filter((one) => one.from > from && one.from <= upTo)
    return this.isMember(groupId, userId, from) && later.every(({ value }) => value.has(userId))
  }

  /** The texts that a message had at a number or later. */
  textsSince({ id, text }: LoggedMessage, at: number): string[] {
    const history = [{ from: 0, value: text }, ...(this.#texts.get(id) ?? [])]
    const first = history.findLastIndex(({ from }) => from <= at)
    return history.slice(first).map(({ value }) => value)
  }

  /** Whether a message was recalled by a number of the log, or by now. */
  isRecalled(id: number, at = this.#head): boolean {
    return (this.#recalls.get(id) ?? Number.POSITIVE_INFINITY) <= at
  }

  /** Whether a reader had blocked a writer when a number was taken. */
  isBlocked(readerId: number, writerId: number, at: number): boolean {
    return valueAt(this.#blocks, at)?.has(`${readerId} ${writerId}`) ?? false
  }

  /** Unread messages by sender, counted one by one. */
  unreadFrom(readerId: number): Map<number, number> {
    return this.#counts(this.#statements.unreadPrivate.all(readerId))
  }

  /** The same by group. */
  unreadIn(readerId: number): Map<number, number> {
    return this.#counts(this.#statements.unreadGroup.all(readerId, readerId))
  }

  /** Ids of users by name. */
  users(): Map<string, number> {
    const rows = this.#statements.users.all() as { id: number; name: string }[]
    return new Map(rows.map(({ id, name }) => [name, id]))
  }

  /** Names of groups by id. */
  groups(): Map<number, string> {
    const rows = this.#statements.groups.all() as { id: number; name: string }[]
    return new Map(rows.map(({ id, name }) => [id, name]))
  }

  /** Ids of the groups, and of their members now. */
  members(): ReadonlyMap<number, ReadonlySet<number>> {
    return new Map([...this.#members].map(([id, history]) => [id, history.at(-1)?.value ?? new Set()]))
  }

  close() {
    this.#connection.close()
  }

  #addMembers(groupId: number, from: number) {
    const history = this.#members.get(groupId) ?? []
    this.#members.set(groupId, history)
    history.push({ from, value: new Set(this.#statements.members.all(groupId) as number[]) })
  }

  #addText(messageId: number, from: number) {
    const history = this.#texts.get(messageId) ?? []
    this.#texts.set(messageId, history)
    history.push({ from, value: this.#statements.text.get(messageId) as string })
  }

  #readBlocks(): Set<string> {
    const rows = this.#statements.blocks.all() as { user_id: number; blocked_id: number }[]
    return new Set(rows.map(({ user_id, blocked_id }) => `${user_id} ${blocked_id}`))
  }

  #counts(rows: unknown[]): Map<number, number> {
    return new Map((rows as { id: number; unread: number }[]).map(({ id, unread }) => [id, unread]))
  }
}

function prepare(connection: Database) {
  const sql = (text: string) => connection.prepare(text)
  return {
    head: sql('select last from head').pluck(),
    messages: sql(
      'select id, user_id, target_id, msg_type, seq, msg from chatmsg where id > ? and id <= ? order by id',
    ),
    changes: sql('select id, topic, subject from change_log where id > ? and id <= ? order by id'),
    members: sql(
      `select m.user_id from chatroom_user m join chatroom g on g.id = m.chatroom_id
       where m.chatroom_id = ? and m.isActive = 1 and g.isActive = 1`,
    ).pluck(),
    blocks: sql('select user_id, blocked_id from userblock where isActive = 1'),
    users: sql('select id, username as name from userinfo order by id'),
    groups: sql('select id, chatroom_name as name from chatroom order by id'),
    text: sql('select msg from chatmsg where id = ?').pluck(),
    unreadPrivate: sql(
      `select m.user_id as id, count(*) as unread from chatmsg m
       left join correspondence c on c.reader_id = m.target_id and c.writer_id = m.user_id
       where m.target_id = ? and m.isActive = 1 and m.msg_type in (${PRIVATE.join(', ')}) and m.id > coalesce(c.read_id, 0)
       group by m.user_id`,
    ),
    unreadGroup: sql(
      `select m.target_id as id, count(*) as unread from chatmsg m
       join chatroom_user u on u.chatroom_id = m.target_id and u.user_id = ? and u.isActive = 1
       where m.lane = ${GROUP_LANE} and m.isActive = 1 and m.user_id <> ? and m.seq > u.read_seq
       group by m.target_id`,
    ),
  }
}
