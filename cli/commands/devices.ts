import type { Client, ValuesOf } from '../../client/index.ts'
import { asUser } from '../client/sessions.ts'
import { defineCommand, defineGroup } from '../definition/command.ts'
import { WHO } from '../definition/options.ts'
import { CliError } from '../errors/exit.ts'

const messages = () => import('../../plugins/devices/messages.ts')

type Device = ValuesOf<typeof import('../../plugins/devices/messages.ts').Devices>['devices'][number]

async function devicesOf(client: Client): Promise<Device[]> {
  const { QueryDevices } = await messages()
  return (await client.request(QueryDevices, {})).devices
}

const list = defineCommand({
  command: 'list',
  describe: 'List the devices that log in with a key of their own',
  examples: [
    ['$0 devices list', 'as the selected login'],
    ['$0 devices list --as alice -o json', 'as the operator'],
  ],
  builder: (args) => args.options(WHO),
  async run(_args, shared) {
    const devices = await asUser(shared, devicesOf)
    await shared.output.list(
      devices.map(({ addedAt, usedAt, current: _current, ...device }) => ({
        ...device,
        addedAt: new Date(addedAt),
        usedAt: usedAt === 0 ? null : new Date(usedAt),
      })),
      [
        { title: 'id', value: ({ device }) => device },
        { title: 'name', value: ({ name }) => name },
        { title: 'sessions', value: ({ sessions }) => sessions },
        { title: 'added', value: ({ addedAt }) => addedAt },
        { title: 'used', value: ({ usedAt }) => usedAt ?? 'never' },
      ],
      'no devices',
    )
  },
})

const revoke = defineCommand({
  command: 'revoke [id]',
  describe: 'Take the login from a device, and end its sessions',
  examples: [
    ['$0 devices revoke 7', 'by the id that `devices list` prints'],
    ['$0 devices revoke --all', 'every device; the password stays'],
  ],
  builder: (args) =>
    args
      .positional('id', { type: 'string', describe: 'id of the device' })
      .options({ ...WHO, all: { type: 'boolean', describe: 'all devices of the user' } }),
  async run({ id: word, all = false }, shared) {
    if ((word === undefined) !== all) throw new CliError('usage', 'name the id of a device, or --all')
    if (word !== undefined && !/^[1-9]\d{0,9}$/.test(word))
      throw new CliError('usage', `"${word}" is no id of a device`, '`chatctl devices list` prints them')
    const { RevokeDevice } = await messages()
    const revoked = await asUser(shared, async (client) => {
      const ids = word === undefined ? (await devicesOf(client)).map(({ device }) => device) : [Number(word)]
      for (const device of ids) await client.request(RevokeDevice, { device })
      return ids
    })
    await shared.output.list(
      revoked.map((device) => ({ device, done: 'revoked' })),
      [{ title: 'revoked', value: ({ device }) => device }],
      'no devices',
    )
  },
})

export const devices = defineGroup(
  'devices',
  'Devices that log in without the password, such as a browser',
  [
    ['$0 devices list', 'which there are'],
    ['$0 devices revoke 7', 'one that was lost'],
  ],
  [list, revoke],
)
