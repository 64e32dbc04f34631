import type { Sample } from '../metrics/metrics.ts'

/** Names of failures counted for one message type; plugins may make up names without end. */
const MAX_FAILURES = 100

/** The outcomes of the requests of one message type. */
export class Outcomes {
  ok = 0
  readonly refused = new Map<string, number>()

  refuse(failure: string) {
    const name = this.refused.has(failure) || this.refused.size < MAX_FAILURES ? failure : 'other'
    this.refused.set(name, (this.refused.get(name) ?? 0) + 1)
  }
}

/** Counts requests by message type and outcome. */
export class RequestOutcomes {
  readonly #byType = new Map<string, Outcomes>()

  /** @param type name of a message, or `unknown` */
  of(type: string): Outcomes {
    const outcomes = this.#byType.get(type) ?? new Outcomes()
    this.#byType.set(type, outcomes)
    return outcomes
  }

  samples(): Sample[] {
    return [...this.#byType].flatMap(([type, { ok, refused }]) =>
      [...(ok > 0 ? [['ok', ok] as const] : []), ...refused].map(([outcome, value]) => ({
        labels: { type, outcome },
        value,
      })),
    )
  }
}
