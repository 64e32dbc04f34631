import { DH_LENGTH, TAG_LENGTH } from './primitives.ts'

/** Most bytes of a Noise message, keys and tags included (spec section 3). */
export const MAX_MESSAGE_LENGTH = 65_535

/** DH of two keys: the first letter names the initiator's key, the second the responder's. */
export type DhToken = 'ee' | 'es' | 'se'

/** One step of a message: `e` and `s` send a public key, the others mix a DH into the key (spec section 7.1). */
export type Token = 'e' | 's' | DhToken

/** Tokens of each message; the initiator sends the first, then both alternate. Pre-messages are not supported. */
export interface HandshakePattern {
  /** As in the protocol's name, `Noise_NX_25519_AESGCM_SHA256` (spec section 8). */
  readonly name: string
  readonly messages: readonly (readonly Token[])[]
}

/** The pattern of this protocol: the responder sends its static key, the initiator is anonymous (spec section 7.5). */
export const NX: HandshakePattern = {
  name: 'NX',
  messages: [['e'], ['e', 'ee', 's', 'es']],
}

/** Bytes of the two messages of NX with no payload: 32 (e) and 96 (e, s with its tag, the tag of the empty payload). */
export const NX_LENGTHS = [DH_LENGTH, DH_LENGTH + (DH_LENGTH + TAG_LENGTH) + TAG_LENGTH] as const
