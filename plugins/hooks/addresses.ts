import { lookup as resolveName } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** Networks that are not public: this machine, local networks, and what is reserved or translated into them. */
const PRIVATE_V4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const
/** Parts of 2000::/3, outside of which no IPv6 address is public: Teredo and others, documentation, 6to4. */
const PRIVATE_V6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const
const PORTS = [80, 443]

const blocked = new BlockList()
for (const [address, prefix] of PRIVATE_V4) blocked.addSubnet(address, prefix, 'ipv4')
for (const [address, prefix] of PRIVATE_V6) blocked.addSubnet(address, prefix, 'ipv6')
const globalV6 = new BlockList()
globalV6.addSubnet('2000::', 3, 'ipv6')

/** A request that is not sent. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused'
}

export interface AddressOptions {
  /** Private networks that hooks may reach, such as 192.168.1.0/24. */
  readonly networks: readonly string[]
  /** Ports besides 80 and 443. */
  readonly ports: readonly number[]
}

type Resolved = { readonly address: string; readonly family: number }
/** Resolves a name to all of its addresses, as `dns.lookup` does. */
export type Resolver = (
  name: string,
  options: { readonly all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: Resolved[]) => void,
) => void

/** True for an address or network such as 10.0.0.0/8. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/')
  const bits = { 4: 32, 6: 128 }[isIP(address)]
  return bits !== undefined && rest.length === 0 && (prefix === undefined || (/^\d+$/.test(prefix) && +prefix <= bits))
}

/**
 * Decides to which addresses requests are sent. A name is resolved once for each request, each of its addresses is
 * checked, and the connection goes to one of those: a resolver that answers otherwise later has no effect.
 */
export class AddressPolicy {
  readonly #allowed = new BlockList()
  readonly #ports: ReadonlySet<number>
  readonly #resolve: Resolver

  constructor({ networks, ports }: AddressOptions, resolve: Resolver = resolveName) {
    for (const network of networks) {
      const [address = '', prefix] = network.split('/')
      const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
      this.#allowed.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family)
    }
    this.#ports = new Set([...PORTS, ...ports])
    this.#resolve = resolve
  }

  /** The URL, if requests may go there as far as can be known without resolving its name. @throws AddressRefused */
  checkUrl(text: string): URL {
    if (!URL.canParse(text)) throw new AddressRefused('is no URL')
    const url = new URL(text)
    const { protocol, hostname, port, username, password } = url
    if (protocol !== 'https:' && protocol !== 'http:') throw new AddressRefused('begins with neither https nor http')
    if (username !== '' || password !== '') throw new AddressRefused('must not hold a user name or password')
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
    if (!this.#ports.has(number))
      throw new AddressRefused(`port ${number} is none of ${[...this.#ports].join(', ')} (option hooks.ports)`)
    // Node asks no resolver for an address, in whatever way it was written: the parser has normalized it.
    const literal = hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(literal) !== 0) this.#check(literal)
    return url
  }

  /** For `http.request`: the addresses of a name, or an error if one of them is private. */
  readonly lookup: LookupFunction = (name, options, done) => {
    this.#resolve(name, { all: true }, (error, addresses) => {
      const failed = error ?? this.#refusal(name, addresses)
      const [first] = addresses ?? []
      if (failed !== undefined || first === undefined) return done(failed ?? new Error(`${name} has no address`), '', 4)
      if (options.all) done(null, addresses)
      else done(null, first.address, first.family)
    })
  }

  #refusal(name: string, addresses: readonly Resolved[]): Error | undefined {
    try {
      for (const { address } of addresses) this.#check(address)
      return undefined
    } catch (error) {
      return new AddressRefused(`${name}: ${(error as Error).message}`)
    }
  }

  /** @throws AddressRefused */
  #check(address: string) {
    if (!this.#isAllowed(address)) throw new AddressRefused(`${address} is private (option hooks.networks)`)
  }

  #isAllowed(address: string): boolean {
    const version = isIP(address)
    // An address with a zone is one of a local link.
    if (version === 0 || address.includes('%')) return false
    const family = version === 4 ? 'ipv4' : 'ipv6'
    if (this.#allowed.check(address, family)) return true
    return !blocked.check(address, family) && (version === 4 || globalV6.check(address, family))
  }
}
