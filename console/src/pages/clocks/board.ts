/** What the board is asked for, as it stands in the address. */

import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import type { Query } from '../../api/ask'
import type { Supervision } from '../../kit/case'
import type { ClockRun } from '../../kit/clocks'
import type { Stage } from '../../kit/stage'
import type { Item } from '../../kit/bulk/useBulk'

export const TABS = ['overdue', 'near', 'suspended', 'provisional', 'arbitration'] as const
export type Tab = (typeof TABS)[number]
export const WITHINS = ['1h', '4h', '24h', '3d', '7d'] as const
export type Within = (typeof WITHINS)[number]
export const GROUPS = ['unit', 'system', 'clock'] as const
export type GroupBy = (typeof GROUPS)[number]

/** A row of GET /api/clocks. */
export interface ClockRow extends ClockRun {
  case_no: string
  case_title: string
  stage: Stage
  source: string
  system: string
  supervision: Supervision | null
  resume_at: string | null
  unit_title: string
}

/** A row of GET /api/clocks/counts. */
export type Count = Record<Tab, number> & { key: string }

export interface Board {
  tab: Tab
  within: Within
  by: GroupBy
  unit: string
  system: string
  clock: string
}

const USUAL: Board = { tab: 'overdue', within: '24h', by: 'unit', unit: '', system: '', clock: '' }

function text(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 64) : ''
}

export function fromAddress(query: LocationQuery): Board {
  return {
    tab: TABS.find((one) => one === query.tab) ?? USUAL.tab,
    within: WITHINS.find((one) => one === query.within) ?? USUAL.within,
    by: GROUPS.find((one) => one === query.by) ?? USUAL.by,
    unit: text(query.unit), system: text(query.system), clock: text(query.clock),
  }
}

export function toAddress(board: Board): LocationQueryRaw {
  const given = Object.entries(board).filter(([name, value]) => value !== USUAL[name as keyof Board])
  return Object.fromEntries(given)
}

/** What all its questions share. */
export function limits({ unit, system, clock, within }: Board): Query {
  return { unit, system, clock, within }
}

/** Overdue and near are both clocks that run. */
export function asked(board: Board): Query {
  const { tab } = board
  const shared = limits(board)
  if (tab === 'overdue') return { ...shared, overdue: true }
  if (tab === 'near') return { ...shared, state: 'near' }
  return { ...shared, state: tab, within: '366d' }
}

/** Sums over all groups. */
export function totals(counts: readonly Count[]): Record<Tab, number> {
  const sum = (tab: Tab): number => counts.reduce((all, one) => all + one[tab], 0)
  return Object.fromEntries(TABS.map((tab) => [tab, sum(tab)])) as Record<Tab, number>
}

export function keyOf(row: ClockRow): string {
  return `${row.case_no} ${row.clock} ${row.of}`
}

/** A case to be supervised, and how it was before. */
export interface Supervised extends Item {
  was: Supervision | null
}

/** The cases of the chosen clocks, each once. */
export function casesOf(rows: readonly ClockRow[], chosen: ReadonlySet<string>): Supervised[] {
  const found = rows.filter((row) => chosen.has(keyOf(row))).map((row) => [row.case_no, { no: row.case_no, title: row.case_title, was: row.supervision }] as const)
  return [...new Map(found).values()]
}
