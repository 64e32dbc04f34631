import knex, { type Knex } from 'knex'
import { md5x10 } from '../../../core/scram/index.ts'
import { SILENT_LOG } from '../../../db/silent-log.ts'
import { newDatabase } from './mariadb.ts'

/** The statements by which the original creates its database. */
const TABLES = [
  `create table userinfo(
    id int primary key auto_increment,
    username varchar(50) unique not null,
    password varchar(254) not null,
    nickname varchar(50) not null,
    reg_time timestamp not null,
    isActive boolean not null)default charset=utf8;`,
  `create table chatmsg(
    id int primary key auto_increment,
    user_id int not null,
    send_time timestamp not null,
    target_id int not null,
    isRead boolean not null,
    msg_type tinyint not null,
    msg varchar(4096) not null,
    isActive boolean not null)default charset=utf8;`,
  `create table userfriend(
    id int primary key auto_increment,
    user_id int not null,
    friend_id int not null,
    add_time timestamp not null,
    isActive boolean not null)default charset=utf8;`,
  `create table chatroom(
    id int primary key auto_increment,
    chatroom_name varchar(30) unique not null,
    create_time timestamp not null,
    isActive boolean not null)default charset=utf8;`,
  `create table chatroom_user(
    id int primary key auto_increment,
    chatroom_id int not null,
    user_id int not null,
    create_time timestamp not null,
    isActive boolean not null)default charset=utf8;`,
]

/** Connects, acts, and closes: an adoption in place refuses while others are connected. */
export async function withMysql<T>(url: string, act: (db: Knex) => Promise<T>, settings = ''): Promise<T> {
  const { hostname, port, username, pathname } = new URL(url)
  const db = knex({
    client: 'mysql2',
    log: SILENT_LOG,
    connection: { host: hostname, port: Number(port), user: username, database: pathname.slice(1), charset: 'utf8' },
    pool: { min: 0, max: 1 },
  })
  try {
    if (settings !== '') await db.raw(settings)
    return await act(db)
  } finally {
    await db.destroy()
  }
}

/** An old database server in China: `timestamp` columns update by themselves, and values are not validated. */
const OLD_SERVER = "set session explicit_defaults_for_timestamp = 0, sql_mode = '', time_zone = '+08:00'"

/** Acts as the original's server on an old database server. */
export const asOriginal = (url: string, act: (db: Knex) => Promise<unknown>) => withMysql(url, act, OLD_SERVER)

type Row = Record<string, string | number>

/** Creates a database as the original does, with these rows. */
export async function makeOriginal(
  server: string,
  rows: Readonly<Record<string, readonly Row[]>>,
): Promise<{ url: string; drop(): Promise<void> }> {
  const made = await newDatabase(server)
  await asOriginal(made.url, async (db) => {
    for (const statement of TABLES) await db.raw(statement)
    // Older versions of the original had no unique names.
    await db.raw('alter table userinfo drop index username')
    for (const [table, all] of Object.entries(rows)) if (all.length > 0) await db(table).insert(all)
  })
  return made
}

/** Eight in the morning in China, midnight in London. */
const TEN_MAY = '2018-05-10 08:00:00'
export const TEN_MAY_UTC = Date.UTC(2018, 4, 10)

export const user = (id: number, username: string, password: string, more: Row = {}): Row => ({
  id,
  username,
  password: md5x10(password),
  nickname: username,
  reg_time: TEN_MAY,
  isActive: 1,
  ...more,
})
export const friend = (id: number, user_id: number, friend_id: number, isActive = 1): Row => ({
  id,
  user_id,
  friend_id,
  add_time: TEN_MAY,
  isActive,
})
export const room = (id: number, chatroom_name: string): Row => ({
  id,
  chatroom_name,
  create_time: TEN_MAY,
  isActive: 1,
})
export const member = (id: number, chatroom_id: number, user_id: number, more: Row = {}): Row => ({
  id,
  chatroom_id,
  user_id,
  create_time: TEN_MAY,
  isActive: 1,
  ...more,
})
export const message = (id: number, user_id: number, target_id: number, msg: string, more: Row = {}): Row => ({
  id,
  user_id,
  target_id,
  msg,
  msg_type: 1,
  send_time: TEN_MAY,
  isRead: 0,
  isActive: 1,
  ...more,
})
