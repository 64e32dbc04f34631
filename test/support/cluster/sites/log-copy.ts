import { GROUP_LANE, MSG_TYPE, PRIVATE } from '../../../../db/messages.ts'
import type { GaleraNode } from '../../databases/galera.ts'
import { type LoggedMessage, type Since, valueAt } from '../../endurance/history.ts'

/**
 * At each change the database itself notes who is in its group, and who blocks whom: in the transaction of the change, after
 * it has its number.
 */
const WITNESSES = [
  'create table chat.members_at (id bigint, user_id int, primary key (id, user_id))',
  'create table chat.blocks_at (id bigint, user_id int, blocked_id int, primary key (id, user_id, blocked_id))',
  `create trigger chat.witness after insert on chat.change_log for each row begin
     if new.topic = 'group' then
       insert into members_at select new.id, m.user_id from chatroom_user m join chatroom g on g.id = m.chatroom_id
         where m.chatroom_id = new.subject and m.isActive = 1 and m.role <> 'invited' and g.isActive = 1;
     elseif new.topic = 'relation' then
       insert into blocks_at select new.id, user_id, blocked_id from userblock where isActive = 1;
     end if;
   end`,
]

type Row = Readonly<Record<string, number | string | null>>

/** A copy of the log, which is read from any server of the database that has all of it. */
export class LogCopy {
  readonly messages = new Map<number, LoggedMessage>()
  readonly #databases: readonly GaleraNode[]
  readonly #members = new Map<number, Since<ReadonlySet<number>>[]>()
  readonly #blocks: Since<ReadonlySet<string>>[] = []
  #users = new Map<string, number>()
  #head = 0
  /** Numbers of the log that nothing has. */
  missing = 0

  constructor(databases: readonly GaleraNode[]) {
    this.#databases = databases
  }

  /** The highest number that was read. */
  get head(): number {
    return this.#head
  }

  /** Begins to watch groups and blocks; before it there must be none. */
  async watch() {
    for (const sql of WITNESSES) await this.#databases[0]?.run(sql)
    this.#users = new Map(
      (await this.ask('select id, username from userinfo')).map((row) => [text(row.username), Number(row.id)]),
    )
    const [row] = await this.ask('select last from head')
    this.#head = Number(row?.last)
  }

  userId(name: string): number {
    return this.#users.get(name) ?? 0
  }

  /** Reads what was committed. */
  async read() {
    const [row] = await this.ask('select last from head')
    const head = Number(row?.last)
    if (head <= this.#head) return
    const range = `id > ${this.#head} and id <= ${head} order by id`
    const rows = await this.ask(`select id, user_id, target_id, msg_type, seq, msg from chatmsg where ${range}`)
    const changes = await this.ask(`select id, topic, subject from change_log where ${range}`)
    this.missing += head - this.#head - rows.length - changes.length
    for (const one of rows) this.#addMessage(one)
    await this.#addChanges(changes, range)
    this.#head = head
  }

  /** Forgets messages, and states that hold no more. */
  forget() {
    this.messages.clear()
    for (const history of [...this.#members.values(), this.#blocks]) history.splice(0, history.length - 1)
  }

  /** Whether a message was for a user when it was stored. */
  isFor(userId: number, { id, targetId, isGroup, senderId }: LoggedMessage): boolean {
    if (!isGroup) return targetId === userId
    return senderId !== userId && this.isMember(targetId, userId, id)
  }

  /** The messages that a user must have received by now: those of a group only if still a member. */
  due(userId: number, upTo = Number.POSITIVE_INFINITY): LoggedMessage[] {
    return [...this.messages.values()].filter(
      (message) =>
        message.id <= upTo &&
        this.isFor(userId, message) &&
        (!message.isGroup || this.#isMemberSince(message.targetId, userId, message.id)),
    )
  }

  /** Whether a user was a member of a group when a number was taken. */
  isMember(groupId: number, userId: number, at: number): boolean {
    return valueAt(this.#members.get(groupId) ?? [], at)?.has(userId) ?? false
  }

  /** Whether a reader had blocked a writer when a number was taken. */
  isBlocked(readerId: number, writerId: number, at: number): boolean {
    return valueAt(this.#blocks, at)?.has(`${readerId} ${writerId}`) ?? false
  }

  /** Rows of the first server that has the whole log. @throws the error of the last one when there is none */
  async ask(sql: string): Promise<Row[]> {
    let failure: unknown
    for (const database of this.#databases)
      try {
        const [rows] = await database.run(`set statement wsrep_sync_wait = 1 for ${sql}`, 'chat')
        return rows
      } catch (error) {
        failure = error
      }
    throw failure
  }

  #addMessage(row: Row) {
    const type = Number(row.msg_type)
    if (type !== MSG_TYPE.group && !PRIVATE.includes(type)) return
    this.messages.set(Number(row.id), {
      id: Number(row.id),
      senderId: Number(row.user_id),
      targetId: Number(row.target_id),
      isGroup: type === MSG_TYPE.group,
      seq: row.seq == null ? null : Number(row.seq),
      text: text(row.msg),
    })
  }

  async #addChanges(changes: readonly Row[], range: string) {
    const members = grouped(await this.ask(`select id, user_id from members_at where ${range}`), (row) =>
      Number(row.user_id),
    )
    const blocks = grouped(
      await this.ask(`select * from blocks_at where ${range}`),
      (row) => `${row.user_id} ${row.blocked_id}`,
    )
    for (const change of changes) {
      const [id, subject] = [Number(change.id), Number(change.subject)]
      if (change.topic === 'relation') this.#blocks.push({ from: id, value: new Set(blocks.get(id)) })
      else if (change.topic === 'group') {
        const history = this.#members.get(subject) ?? []
        this.#members.set(subject, history)
        history.push({ from: id, value: new Set(members.get(id)) })
      }
    }
  }

  /** Whether a user has been a member without a break from a number on until now. */
  #isMemberSince(groupId: number, userId: number, from: number): boolean {
    const history = this.#members.get(groupId) ?? []
    return this.isMember(groupId, userId, from) && history.every((one) => one.from <= from || one.value.has(userId))
  }

  /** Unread messages of a user, counted one by one: by kind and name, as contacts are listed. */
  async recount(userId: number): Promise<Map<string, number>> {
    const users = await this.ask(
      `select concat('1 ', w.username) as place, count(*) as unread from chatmsg m join userinfo w on w.id = m.user_id
       left join correspondence c on c.reader_id = m.target_id and c.writer_id = m.user_id
       where m.target_id = ${userId} and m.isActive = 1 and m.msg_type in (${PRIVATE.join(', ')})
         and m.id > coalesce(c.read_id, 0) group by m.user_id`,
    )
    const groups = await this.ask(
      `select concat('4 ', g.chatroom_name) as place, count(*) as unread from chatroom_user u
       join chatroom g on g.id = u.chatroom_id
       join chatmsg m on m.target_id = g.id and m.lane = ${GROUP_LANE} and m.isActive = 1
       where u.user_id = ${userId} and u.isActive = 1 and m.user_id <> ${userId} and m.seq > u.read_seq group by g.id`,
    )
    return new Map([...users, ...groups].map(({ place, unread }) => [text(place), Number(unread)]))
  }

  /** All read positions. */
  async positions(): Promise<Map<string, number>> {
    const pairs = await this.ask(
      "select concat(reader_id, ' from ', writer_id) as place, read_id as at from correspondence",
    )
    // A member who joins again begins anew, so membership is a part of the name.
    const groups = await this.ask(
      "select concat(user_id, ' in ', chatroom_id, ' since ', joined_seq) as place, read_seq as at from chatroom_user",
    )
    return new Map([...pairs, ...groups].map((row) => [text(row.place), Number(row.at)]))
  }
}

const text = (value: unknown) => String(value)

/** Values by the number of the log that they belong to. */
function grouped<T>(rows: readonly Row[], valueIn: (row: Row) => T): Map<number, T[]> {
  const found = new Map<number, T[]>()
  for (const row of rows) {
    const id = Number(row.id)
    found.set(id, [...(found.get(id) ?? []), valueIn(row)])
  }
  return found
}
