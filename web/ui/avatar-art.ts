import { createAvatar } from '@dicebear/core'
import * as pixelArt from '@dicebear/pixel-art'
import type { Dress } from '../shared/model.ts'

export interface Part {
  readonly name: PartName
  /** Values are 1 to `count`. */
  readonly count: number
  /** 0 for none. */
  readonly canBeNone: boolean
}

const NAMES = [
  'skinColor',
  'hair',
  'hairColor',
  'eyes',
  'eyesColor',
  'mouth',
  'beard',
  'glasses',
  'hat',
  'hatColor',
  'accessories',
  'clothing',
  'clothingColor',
] as const
const CAN_BE_NONE: readonly string[] = ['beard', 'glasses', 'hat', 'accessories']

export type PartName = (typeof NAMES)[number]

interface Property {
  readonly items?: { readonly enum?: readonly string[] }
  readonly default?: readonly string[]
}

/** The values of a part in a fixed order: their numbers are stored. */
function valuesOf(name: PartName): readonly string[] {
  const property = (pixelArt.schema.properties as Readonly<Record<string, Property>>)[name]
  return [...(property?.items?.enum ?? property?.default ?? [])].sort()
}

const VALUES = new Map(NAMES.map((name) => [name, valuesOf(name)]))

export const PARTS: readonly Part[] = NAMES.map((name) => ({
  name,
  count: VALUES.get(name)?.length ?? 0,
  canBeNone: CAN_BE_NONE.includes(name),
}))

/** Options of the drawing library for those parts that have a valid number. */
function optionsOf(dress: Dress): Record<string, unknown> {
  const options: Record<string, unknown> = {}
  for (const { name, canBeNone } of PARTS) {
    const chosen = dress[name]
    const value = chosen === undefined ? undefined : VALUES.get(name)?.[chosen - 1]
    if (value !== undefined) options[name] = [value]
    if (canBeNone && chosen !== undefined) options[`${name}Probability`] = value === undefined ? 0 : 100
  }
  return options
}

/** An avatar as SVG. What is not chosen follows from the user's name. */
export const drawAvatar = (seed: string, dress: Dress): string =>
  createAvatar(pixelArt, { seed, ...optionsOf(dress) }).toString()
