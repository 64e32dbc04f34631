import { lastOf, notEmpty, wholeNumber } from './coerce.ts'

/** Flags of `serve` and of everything that has to know its settings. */
export const SERVE_OPTIONS = {
  config: {
    type: 'string',
    describe: 'config file (.json, .yaml, .toml, .js, .ts); default chatctl.config.json, .yaml or .toml here',
    coerce: notEmpty('config'),
    group: 'Settings',
  },
  host: {
    type: 'string',
    describe: 'address to listen on; default 127.0.0.1',
    coerce: notEmpty('host'),
    group: 'Settings',
  },
  port: {
    type: 'string',
    describe: 'port to listen on, 0 for a free one; default 7300',
    coerce: wholeNumber('port', 0, 65_535),
    group: 'Settings',
  },
  data: { type: 'string', describe: 'folder of the database and keys', coerce: notEmpty('data'), group: 'Settings' },
  db: {
    type: 'string',
    describe:
      'mysql://USER:PASSWORD@HOST:PORT[,HOST:PORT]/NAME, better given as CHATCTL_DB; default a SQLite file in --data',
    coerce: notEmpty('db'),
    group: 'Settings',
  },
  files: {
    type: 'string',
    describe: 'folder of uploaded files, or s3://BUCKET/PREFIX?endpoint=URL&region=NAME; default files/ in --data',
    coerce: notEmpty('files'),
    group: 'Settings',
  },
  cluster: {
    type: 'string',
    array: true,
    nargs: 1,
    describe:
      'servers of NATS through which the nodes on one database reach each other, nearest first: nats://HOST[:PORT],… or ' +
      'tls://USER:PASSWORD@HOST,…; better given as CHATCTL_CLUSTER',
    group: 'Settings',
  },
  'node-name': {
    type: 'string',
    describe: 'name of this node in `chatctl cluster status`; default the name of the machine',
    coerce: notEmpty('node-name'),
    group: 'Settings',
  },
  plugin: {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'a plugin to load: ./file.ts, ./file.js or a package',
    group: 'Settings',
  },
  without: { type: 'string', array: true, nargs: 1, describe: 'a built-in plugin to leave out', group: 'Settings' },
  limits: {
    type: 'string',
    describe: 'LIMIT=NUMBER,…; off lifts the rates per user and address, on loopback only',
    coerce: notEmpty('limits'),
    group: 'Settings',
  },
  legacy: {
    type: 'string',
    describe: '[HOST:]PORT to listen on for clients of the original chat room too; HOST is 127.0.0.1 if left out',
    coerce: notEmpty('legacy'),
    group: 'Settings',
  },
  http: {
    type: 'string',
    describe:
      '[HOST:]PORT to serve the browser page and WebSockets on, or off, the default; HOST is 127.0.0.1 if left out',
    coerce: lastOf('http'),
    group: 'Settings',
  },
  'http-origin': {
    type: 'string',
    array: true,
    nargs: 1,
    describe:
      'an origin whose pages may connect, as https://chat.example.org; default the host that the browser asked for',
    group: 'Settings',
  },
  'trusted-proxy': {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'address or network of a reverse proxy whose X-Forwarded-For is believed, as 10.0.0.0/8',
    group: 'Settings',
  },
  metrics: {
    type: 'string',
    describe: '[HOST:]PORT to serve metrics for Prometheus on, or off, the default; HOST is 127.0.0.1 if left out',
    coerce: lastOf('metrics'),
    group: 'Settings',
  },
  migrate: { type: 'boolean', describe: 'bring an older database up to date', group: 'Settings' },
  'log-level': {
    type: 'string',
    describe: 'trace, debug, info, warn, error or silent',
    coerce: notEmpty('log-level'),
    group: 'Settings',
  },
  'log-format': {
    type: 'string',
    describe: 'json, pretty, or auto: pretty on a terminal',
    coerce: notEmpty('log-format'),
    group: 'Settings',
  },
} as const
