/** ASCII codes of the letters of a format, see docs/PROTOCOL.md "Layer 3". */
export const NETWORK_ORDER = 0x21 // '!'
export const LETTER_L = 0x4c
export const LETTER_S = 0x73
export const DIGIT_0 = 0x30
