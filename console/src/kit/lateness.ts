/** How late something is, in one word: what board, list and map colour by. */

export type Lateness = 'easy' | 'near' | 'late' | 'paused' | 'none'

/** The last fifth of a time limit is near; without a limit, the last four hours. */
const NEAR_SHARE = 0.2
const NEAR_SECONDS = 4 * 3600

/** `left`: seconds until it is due, below nought when it is late; null: no time limit. `budget`: seconds in all. */
export function latenessOf(left: number | null, budget: number | null = null, paused = false): Lateness {
  if (paused) return 'paused'
  if (left === null) return 'none'
  if (left < 0) return 'late'
  return left <= (budget === null ? NEAR_SECONDS : budget * NEAR_SHARE) ? 'near' : 'easy'
}
