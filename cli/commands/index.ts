import type { CommandModule } from 'yargs'
import { ask } from './ask.ts'
import { bench } from './bench.ts'
import { bot } from './bot.ts'
import { broadcast } from './broadcast.ts'
import { config } from './config.ts'
import { contacts } from './contacts.ts'
import { context } from './context.ts'
import { db } from './db.ts'
import { doctor } from './doctor.ts'
import { expect } from './expect.ts'
import { friends } from './friends.ts'
import { groups } from './groups.ts'
import { history, inbox } from './inbox.ts'
import { inject } from './inject.ts'
import { listen } from './listen.ts'
import { login, logout, whoami } from './login.ts'
import { plugin } from './plugin.ts'
import { protocol } from './protocol.ts'
import { recall } from './recall.ts'
import { register } from './register.ts'
import { scheduled } from './scheduled.ts'
import { send } from './send.ts'
import { serve } from './serve.ts'
import { status } from './status.ts'
import { tap } from './tap.ts'
import { users } from './users.ts'

/** In the order of `chatctl --help`. A command loads what it needs only when it runs. */
// biome-ignore lint/suspicious/noExplicitAny: commands of different arguments in one list
export const COMMANDS: CommandModule<any, any>[] = [
  serve,
  register,
  login,
  logout,
  whoami,
  context,
  send,
  scheduled,
  ask,
  expect,
  listen,
  inbox,
  history,
  contacts,
  recall,
  friends,
  groups,
  bot,
  inject,
  protocol,
  plugin,
  status,
  tap,
  users,
  broadcast,
  db,
  config,
  doctor,
  bench,
]
