import { isIPv6 } from 'node:net'

/** Groups of four hexadecimal digits in the part of an address that a provider gives to one customer: a /64. */
const NETWORK_GROUPS = 4
/** The same of a provider's larger assignments: a /48. */
const SITE_GROUPS = 3

/** The peer's address in the form in which limits count it. An IPv4 peer of a dual-stack listener is an IPv4 peer. */
export const plainAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')

/** Whether a peer with this address is on this machine. */
export const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')

/**
 * Addresses that count as one for limits: an IPv4 address by itself, IPv6 addresses by their /64, since one host has as
 * many of those as it likes (RFC 6177). Anything else, such as `control`, by itself.
 */
export const networkOf = (address: string): string => prefixOf(address, NETWORK_GROUPS, '/64')

/** The wider network, an IPv6 /48, of which one customer may own all; undefined where there is none wider. */
export const siteOf = (address: string): string | undefined =>
  isIPv6(address) ? prefixOf(address, SITE_GROUPS, '/48') : undefined

function prefixOf(address: string, count: number, suffix: string): string {
  if (!isIPv6(address)) return address
  // A zone (`%eth0`) names an interface of this machine.
  const [head = '', tail] = address.replace(/%.*$/, '').toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  // An address may end in dotted IPv4 form, which stands for two groups; it never reaches into the prefix.
  const dotted = after.some((group) => group.includes('.')) ? 1 : 0
  while (tail !== undefined && groups.length + after.length + dotted < 8) groups.push('0')
  const prefix = [...groups, ...after].slice(0, count).map((group) => Number.parseInt(group, 16).toString(16))
  return `${prefix.join(':')}::${suffix}`
}
