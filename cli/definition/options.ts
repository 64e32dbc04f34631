import { fingerprint, notEmpty } from './coerce.ts'

/** Options that many commands take; each command names those it uses. */
export const OPTIONS = {
  context: {
    type: 'string',
    describe: 'act as the login kept under this name',
    group: 'Who',
    coerce: notEmpty('context'),
  },
  as: {
    type: 'string',
    describe: 'as the operator: act as this user, through the control socket',
    group: 'Who',
    coerce: notEmpty('as'),
  },
  data: {
    type: 'string',
    describe: 'data folder of the server on this machine',
    group: 'Server',
    coerce: notEmpty('data'),
  },
  config: {
    type: 'string',
    describe: 'config file of the server on this machine, for its data folder',
    group: 'Server',
    coerce: notEmpty('config'),
  },
  server: {
    type: 'string',
    describe: 'HOST:PORT of the server, or ws://HOST:PORT/chat; several of one database with commas',
    group: 'Server',
    coerce: notEmpty('server'),
  },
  pin: {
    type: 'string',
    describe: 'the key the server must show, SHA256:…',
    group: 'Server',
    coerce: fingerprint('pin'),
  },
  passwordFile: {
    type: 'string',
    describe: 'file that holds the password; - is stdin',
    coerce: notEmpty('password-file'),
  },
} as const

/** Options that select the operator's server on this machine. */
export const SERVER_FOLDER = { data: OPTIONS.data, config: OPTIONS.config } as const

/** Options that select the acting user: a context, or the operator with `--as`. */
export const WHO = { context: OPTIONS.context, as: OPTIONS.as, ...SERVER_FOLDER } as const
