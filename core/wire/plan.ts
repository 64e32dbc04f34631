import { type AnyField, type Field, type Fields, LETTERS, type ListField } from './field.ts'
import { SIZES } from './scalar.ts'

/** Codec instructions for one value of a message. */
export interface Step {
  readonly name: string
  readonly field: Field
  /** Bytes on the wire; undefined for `Ns`, whose length is in the format. */
  readonly size: number | undefined
  /** Character code of the format letter. */
  readonly letter: number
}

/** Steps of a message in wire order: compiled once per definition, executed for each message. */
export interface Plan {
  readonly steps: readonly Step[]
  /** Number of leading steps whose fields have no default. */
  readonly required: number
  readonly list: { readonly name: string; readonly field: ListField; readonly plan: Plan } | undefined
}

const plans = new WeakMap<object, Plan>()

export function planOf(message: { readonly fields: Fields }): Plan {
  let plan = plans.get(message)
  if (plan === undefined) {
    plan = planFor(message.fields)
    plans.set(message, plan)
  }
  return plan
}

function planFor(fields: Fields): Plan {
  const steps: Step[] = []
  let list: Plan['list']
  for (const [name, field] of Object.entries(fields)) {
    if (isList(field)) list = { name, field, plan: planFor(field.fields) }
    else steps.push({ name, field, size: SIZES[field.kind], letter: LETTERS[field.kind].charCodeAt(0) })
  }
  const firstOptional = steps.findIndex(({ field }) => field.default !== undefined)
  return { steps, required: firstOptional === -1 ? steps.length : firstOptional, list }
}

const isList = (field: AnyField): field is ListField => field.kind === 'list'
