import { BlockList, isIP } from 'node:net'
import { SetupError } from '../errors.ts'
import { plainAddress } from '../session/address.ts'

const FAMILIES: Readonly<Record<number, 'ipv4' | 'ipv6'>> = { 4: 'ipv4', 6: 'ipv6' }

/** `1.2.3.4:5678` and `[::1]:5678`, as some proxies write a peer with its port. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/

/** Reverse proxies that name the address of a peer in `X-Forwarded-For`. From any other peer the header is ignored. */
export class TrustedProxies {
  readonly #list = new BlockList()

  /** @param entries addresses, and networks as `10.0.0.0/8` @throws SetupError */
  constructor(entries: readonly string[]) {
    for (const entry of entries) this.#add(entry)
  }

  /** The rightmost address that is no trusted proxy. @param forwarded value of `X-Forwarded-For` */
  addressOf(peer: string, forwarded: string | undefined): string {
    let address = peer
    const hops = (forwarded ?? '').split(',')
    while (this.has(address)) {
      const hop = hostOf(hops.pop() ?? '')
      if (isIP(hop) === 0) break
      address = hop
    }
    return address
  }

  has(address: string): boolean {
    const family = FAMILIES[isIP(address)]
    return family !== undefined && this.#list.check(address, family)
  }

  #add(entry: string) {
    const [address = '', prefix] = entry.split('/')
    const family = FAMILIES[isIP(address)]
    const bits = Number(prefix ?? 0)
    const isValid = /^\d+$/.test(prefix ?? '0') && bits <= (family === 'ipv6' ? 128 : 32)
    if (family === undefined || !isValid)
      throw new SetupError(
        `trusted proxy "${entry}" is no address such as 10.0.0.1, and no network such as 10.0.0.0/8`,
        {
          isSetting: true,
        },
      )
    if (prefix === undefined) this.#list.addAddress(address, family)
    else this.#list.addSubnet(address, bits, family)
  }
}

function hostOf(hop: string): string {
  const text = hop.trim()
  const [, inBrackets, plain] = WITH_PORT.exec(text) ?? []
  return plainAddress(inBrackets ?? plain ?? text)
}
