import {
  bool,
  bytes,
  clientMessage,
  line,
  list,
  optional,
  serverMessage,
  uint32,
  uint64,
  userName,
} from '../../core/wire/index.ts'
import { role } from '../accounts/fields.ts'

const deviceName = line('name that the user gave the device', { max: 256 })

export const DeviceAdded = serverMessage({
  type: 161,
  name: 'device_added',
  about: 'The device may log in from now on.',
  fields: { device: uint32('id of the device') },
})

export const AddDevice = clientMessage({
  type: 59,
  name: 'add_device',
  about: 'Lets a device log in as this user with a key of its own. A key that was added before keeps its id.',
  allow: 'user',
  fields: {
    name: line('name of the device, at most 64 characters', { min: 1, max: 256 }),
    publicKey: bytes(
      'public key on the curve P-256: an uncompressed point of 65 bytes, or SubjectPublicKeyInfo in DER',
      {
        min: 65,
        max: 128,
      },
    ),
  },
  reply: DeviceAdded,
})

export const DeviceLoginSuccessful = serverMessage({
  type: 162,
  name: 'device_login_successful',
  about: 'The login succeeded. Unlike a password, it proves nothing about the server: its key must be known.',
  fields: {
    id: uint32('id of the user'),
    user: userName('name of the account'),
    nickname: line('display name', { max: 256 }),
    role: role('role of the account'),
    epoch: optional(line('generation of the database, as in login_successful', { max: 64 }), ''),
  },
})

export const LoginDevice = clientMessage({
  type: 60,
  name: 'login_device',
  about: 'Logs in with the key of a device.',
  allow: 'anonymous',
  fields: {
    user: userName('name of the account'),
    device: uint32('id of the device'),
    signature: bytes('ECDSA with SHA-256, r and s of 32 bytes each, over the user and the handshake hash', {
      min: 64,
      max: 64,
    }),
  },
  reply: DeviceLoginSuccessful,
})

export const Devices = serverMessage({
  type: 163,
  name: 'devices',
  about: 'The devices of this user, in the order in which they were added.',
  fields: {
    devices: list(
      'the devices',
      {
        device: uint32('id of the device'),
        name: deviceName,
        addedAt: uint64('time at which it was added, milliseconds since 1970 UTC'),
        usedAt: uint64('time of its last login, milliseconds since 1970 UTC; 0: none'),
        sessions: uint32('number of its open sessions'),
        current: bool('true for the device of this session'),
      },
      { max: 1000 },
    ),
  },
})

export const QueryDevices = clientMessage({
  type: 61,
  name: 'query_devices',
  about: 'Requests the devices of this user.',
  allow: 'user',
  fields: {},
  reply: Devices,
})

export const RevokeDevice = clientMessage({
  type: 62,
  name: 'revoke_device',
  about: 'Takes the login from a device of this user, and closes its sessions.',
  allow: 'user',
  fields: { device: uint32('id of the device') },
})
