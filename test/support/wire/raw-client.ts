import { connect as dial, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import {
  type CipherState,
  frame,
  HandshakeState,
  MAGIC,
  openRecord,
  RecordSplitter,
  sealRecords,
} from '../../../core/noise/index.ts'
import { type ClientKeys, startLogin } from '../../../core/scram/index.ts'
import { Closing, decode, encode, type Frame, MessageSplitter } from '../../../core/wire/index.ts'
import { Login, LoginChallenge, LoginProof } from '../../../plugins/login/messages.ts'

const EMPTY = Buffer.alloc(0)

/** Address of a server, and the local address to connect from. */
export interface Where {
  readonly host: string
  readonly port: number
  readonly localAddress?: string
}

/** A TCP connection without handshake. */
export const connectRaw = ({ host, port, localAddress }: Where): Promise<Socket> =>
  new Promise((resolve) => {
    const socket = dial({ host, port, ...(localAddress !== undefined && { localAddress }) }, () => resolve(socket))
    socket.on('error', () => {})
  })

export const ended = (socket: Duplex): Promise<void> =>
  new Promise((resolve) => (socket.destroyed ? resolve() : socket.once('close', () => resolve())))

/** A peer that completes the handshake and then sends arbitrary bytes in valid records. */
export async function enter(where: Where | Duplex) {
  const socket = where instanceof Duplex ? where : await connectRaw(where)
  const handshake = new HandshakeState({ initiator: true, prologue: MAGIC })
  socket.write(Buffer.concat([MAGIC, frame(handshake.writeMessage())]))
  const records = new RecordSplitter()
  const messages = new MessageSplitter({ message: 1 << 20, format: 1 << 16, values: 8192 })
  const heard: { type: number; values: unknown; frame: Frame }[] = []
  await new Promise<void>((resolve) => {
    // The server may close instead.
    socket.once('close', () => resolve())
    socket.on('data', (chunk) => {
      for (const body of records.push(chunk)) {
        if (handshake.result === undefined) {
          handshake.readMessage(body)
          resolve()
          continue
        }
        for (const found of messages.push(openRecord(handshake.result.receive, body)))
          heard.push({
            type: found.type,
            values: found.type === Closing.type ? decode(Closing, found, 64).values : undefined,
            frame: found,
          })
      }
    })
  })
  const send = handshake.result?.send
  const seal = (bytes: Buffer) => sealRecords(send as CipherState, bytes)
  return {
    socket,
    heard,
    isIn: send !== undefined,
    binding: handshake.result?.handshakeHash as Buffer,
    seal,
    say: (bytes: Buffer) => socket.write(seal(bytes)),
    sayNothing: (records: number) => {
      const empty = () => frame((send as CipherState).encryptWithAd(EMPTY, EMPTY))
      socket.write(Buffer.concat(Array.from({ length: records }, empty)))
    },
  }
}

/** Logs such a peer in. @param settled resolves when the server has answered */
export async function logIn(
  peer: Awaited<ReturnType<typeof enter>>,
  name: string,
  { keys, settled }: { readonly keys: ClientKeys; readonly settled: () => Promise<void> },
) {
  const exchange = startLogin(name)
  peer.say(encode(Login, 1, { clientFirst: exchange.clientFirst }))
  await settled()
  const { serverFirst } = decode(LoginChallenge, peer.heard.at(-1)?.frame as Frame, 64).values
  const { clientFinal } = await exchange.answer(serverFirst, peer.binding, () => keys)
  peer.say(encode(LoginProof, 2, { clientFinal }))
  await settled()
}
