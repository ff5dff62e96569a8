/** A clock of a case, as the hub's ledger tells it. */

import type { Words } from '../language/tables'
import type { LedgerPart } from './LedgerBar.vue'

export type ClockName = keyof Words['shared']['clocks']

export interface ClockRun {
  clock: ClockName
  of: string
  unit: string
  basis: string
  state: 'running' | 'paused' | 'stopped'
  started_at: string
  stopped_at: string | null
  due_at: string | null
  provisional: boolean
  overdue: boolean
  extensions: number
  limits: { value: number; unit: string }[]
  pauses: { since: string; until: string | null }[]
  /** What its time went by, in the measure of its limits. */
  spans: { paused: boolean; since: string; until: string | null; seconds: number }[]
  used_seconds: number
  remaining_seconds: number | null
  told?: { step: string; at: string; told_at: string; late: boolean }[]
}

/** Seconds of the whole limit; null: there is none. */
export function budgetOf(run: ClockRun): number | null {
  return run.remaining_seconds === null ? null : run.used_seconds + run.remaining_seconds
}

/** For the bar: ran, stood still, ran. */
export function partsOf(run: ClockRun): LedgerPart[] {
  return run.spans.map((span) => ({ kind: span.paused ? 'suspended' : 'consumed', seconds: span.seconds }))
}

/** The ones that run first, the most urgent of them on top; then what stands still, then what ended, the newest first. */
export function byUrgency(runs: readonly ClockRun[]): ClockRun[] {
  const order = { running: 0, paused: 1, stopped: 2 }
  const at = (run: ClockRun): number =>
    run.state === 'stopped' ? -Date.parse(run.stopped_at ?? run.started_at) : Date.parse(run.due_at ?? '9999-12-31')
  return [...runs].sort((a, b) => order[a.state] - order[b.state] || at(a) - at(b))
}
