/** A case as the hub's lists and its own page tell it: what is used of it here. */

import type { Words } from '../language/tables'
import type { Stage } from './stage'

export type Queue = keyof Words['shared']['queues']
export type Supervision = keyof Words['shared']['supervisions']
export type Urgency = keyof Words['shared']['urgencies']
export type Level = keyof Words['shared']['levels']

export interface Place {
  address: string
  lon: number | null
  lat: number | null
  error: number | null
  area: string | null
  grid: string | null
  method: string
  suspect: string
}

export interface Assignment {
  round: number
  unit: string
  system: string
  share: 'lead' | 'joint'
  returned_at: string | null
}

export interface Reporter {
  name: string
  phone: string
  withheld: boolean
}

/** Of GET /api/cases, and the head of GET /api/cases/{number}. */
export interface CaseRow {
  no: string
  title: string
  stage: Stage
  queue: Queue | null
  source: string
  owner: string
  class_code: string | null
  description: string
  place: Place
  reporter: Reporter
  urgency: Urgency
  channel: string
  received_at: string
  due_at: string | null
  disposed_at: string | null
  assignments: Assignment[]
  supervision: Supervision | null
  level: Level | null
  joint: object | null
  suspensions: number
  returns: number
  reworks: number
  reports: number
  merged_into: string
  lead_system: string
  version: number
  result: string
}

/** Why a search found it. */
export interface Why {
  field: string
  /** Of a text: the word with what stands around it. */
  around?: string
  text?: string
  /** Of a number or a telephone; the telephone is masked. */
  value?: string
  /** Of a division, grid, class or unit. */
  name?: string
}

/** Of GET /api/search: fewer facts, and why it was found. */
export interface Hit {
  no: string
  title: string
  stage: Stage
  queue: Queue | null
  source: string
  owner: string
  unit: string
  class_code: string | null
  area: string | null
  address: string
  received_at: string
  due_at: string | null
  why: Why[]
}

/** A row of a list of cases, wherever it came from. */
export interface Listing {
  no: string
  title: string
  stage: Stage
  queue: Queue | null
  source: string
  owner: string
  unit: string
  class_code: string | null
  area: string | null
  address: string
  received_at: string
  due_at: string | null
  /** The work is done: what was due is due no more. */
  done: boolean
  supervision: Supervision | null
  urgency: Urgency
  joint: boolean
  why: Why[]
}

/** The unit that leads, by the latest assignment; empty: none. */
export function unitOf(row: Pick<CaseRow, 'assignments'>): string {
  const lead = row.assignments.findLast((one) => one.share === 'lead')
  return lead && lead.returned_at === null ? lead.unit : ''
}

const DONE = new Set<Stage>(['refused', 'disposed', 'checked', 'closed', 'evaluated', 'cancelled', 'merged'])

/** Nobody owes it work any more, as far as its stage tells. */
export function isDone(stage: Stage): boolean {
  return DONE.has(stage)
}

export function listed(row: CaseRow | Hit): Listing {
  const common = {
    no: row.no, title: row.title, stage: row.stage, queue: row.queue, source: row.source, owner: row.owner,
    class_code: row.class_code, received_at: row.received_at, due_at: row.due_at, done: isDone(row.stage),
  }
  if ('why' in row) {
    const { unit, area, address, why } = row
    return { ...common, unit, area, address, why, supervision: null, urgency: 'normal', joint: false }
  }
  const { place, supervision, urgency } = row
  return {
    ...common, unit: unitOf(row), area: place.area, address: place.address, supervision, urgency,
    joint: row.joint !== null, why: [],
  }
}
