/**
 * What may be done to a case now, and what each of it needs. The lifecycle table of the hub decides; this only knows how
 * its fields are asked for, and which of them the hub fills in by itself.
 */

import type { ActionKind, CaseView } from '../journey'

/** A row of GET /api/lifecycle. */
export interface LifecycleRow {
  action: ActionKind
  title: string
  from: string[]
  to: string | null
  who: string[]
  needs: string[]
  starts: string[]
  stops: string[]
  pauses: string[]
  resumes: string[]
  tells: string[]
}

export const FIELDS = [
  'unit', 'round', 'class_code', 'standard', 'place', 'level', 'supervision', 'target', 'limit', 'until', 'basis',
  'completion', 'result', 'reason',
] as const
export type Field = (typeof FIELDS)[number]

export interface Asked {
  field: Field
  required: boolean
}

/** What may be said beside what is needed. */
const ALSO: Partial<Record<ActionKind, readonly Field[]>> = {
  sign: ['limit', 'reason'],
  return: ['basis'],
  arbitrate: ['basis'],
  ask_suspension: ['limit'],
  ask_extension: ['until'],
  endorse: ['reason'],
  grant_extension: ['until', 'reason'],
  suspend: ['limit'],
  whistle: ['completion'],
  check: ['reason'],
  close: ['level'],
  report_in: ['reason'],
}
/** What the hub knows by itself: the case's own class and place, the standard row that fits its text. */
const FILLED: Partial<Record<Field, (view: CaseView) => boolean>> = {
  class_code: (view) => view.class_code !== null,
  place: (view) => view.place.area !== null || view.place.lon !== null,
  standard: () => true,
  until: (view) => view.request?.until != null || view.request?.limit != null,
  limit: (view) => view.request?.limit != null || view.request?.until != null,
}
/** One of these is enough. */
const EITHER: Partial<Record<Field, Field>> = { until: 'limit', limit: 'until' }

/** No order of a person can carry these. */
const BEYOND = new Set(['report', 'system', 'told', 'timed'])

/** The actions that a person of the centre may choose now, in the order of the table. */
export function possible(rows: readonly LifecycleRow[], view: CaseView): LifecycleRow[] {
  return rows.filter(
    (row) =>
      row.who.includes('centre') && row.from.includes(view.stage) && !row.needs.some((need) => BEYOND.has(need)) && fits(row.action, view),
  )
}

/** What the table leaves to the rules: asked for only when there is something to decide. */
function fits(action: ActionKind, view: CaseView): boolean {
  const open = calledNow(view).length > 0
  const request = view.request?.kind
  const rules: Partial<Record<ActionKind, boolean>> = {
    report_in: open, answer: open, decline: open,
    endorse: request !== undefined, refuse_request: request !== undefined,
    grant_extension: request === 'ask_extension',
    lift: view.supervision !== null,
    uphold: view.appealing, dismiss: view.appealing,
    suspend: request !== 'ask_extension',
  }
  return rules[action] ?? true
}

export function asks(row: LifecycleRow, view: CaseView): Asked[] {
  const also = ALSO[row.action] ?? []
  return FIELDS.filter((field) => row.needs.includes(field) || also.includes(field) || (field === 'standard' && row.action === 'file')).map(
    (field) => {
      return { field, required: row.needs.includes(field) && !(FILLED[field]?.(view) ?? false) }
    },
  )
}

/** The called units that owe something. */
export function calledNow(view: CaseView): CaseView['joint_work'][number]['units'] {
  const work = view.joint_work.find((one) => one.state === 'under_way')
  return (work?.units ?? []).filter((unit) => unit.answered_at === null && unit.declined_at === null)
}

/** What people come for at this stage; the rest stands behind one button. */
const FIRST: Partial<Record<string, readonly ActionKind[]>> = {
  reported: ['file', 'verify', 'refuse'],
  verifying: ['file', 'refuse'],
  filed: ['dispatch'],
  dispatched: ['sign', 'return', 'supervise'],
  handling: ['dispose', 'supervise', 'whistle'],
  returned: ['redispatch', 'arbitrate'],
  suspended: ['resume', 'supervise'],
  disposed: ['check', 'rework'],
  checked: ['close', 'rework'],
  closed: ['evaluate', 'rework'],
}
const DECIDES: readonly ActionKind[] = ['grant_extension', 'refuse_request', 'endorse', 'uphold', 'dismiss']

export function first(rows: readonly LifecycleRow[], view: CaseView): LifecycleRow[] {
  const wanted = [...DECIDES, ...(view.request?.kind === 'ask_suspension' ? (['suspend'] as const) : []), ...(FIRST[view.stage] ?? [])]
  return wanted.flatMap((action) => rows.find((row) => row.action === action) ?? []).slice(0, 4)
}

/** What somebody filled in; empty texts say nothing. */
export interface Filled {
  unit: string
  round: number
  class_code: string
  standard: string
  area: string
  grid: string
  address: string
  lon: string
  lat: string
  level: string
  supervision: string
  target: string
  limit: number | null
  limitUnit: string
  until: string
  basis: string
  completion: string
  result: string
  reason: string
}

export const EMPTY: Filled = {
  unit: '', round: 0, class_code: '', standard: '', area: '', grid: '', address: '', lon: '', lat: '', level: '', supervision: '',
  target: '', limit: null, limitUnit: 'work_day', until: '', basis: '', completion: '', result: '', reason: '',
}

const SAID: Record<Field, (filled: Filled) => unknown> = {
  unit: (filled) => filled.unit,
  round: (filled) => filled.round,
  class_code: (filled) => filled.class_code,
  standard: (filled) => filled.standard,
  place: placeOf,
  level: (filled) => filled.level,
  supervision: (filled) => filled.supervision,
  target: (filled) => filled.target.trim(),
  limit: (filled) => (filled.limit === null ? '' : { value: filled.limit, unit: filled.limitUnit }),
  // Whatever zone the browser is in, what is written here is Shanghai's time.
  until: (filled) => (filled.until === '' ? '' : `${filled.until}:00+08:00`),
  basis: (filled) => filled.basis.trim(),
  completion: (filled) => filled.completion,
  result: (filled) => filled.result.trim(),
  reason: (filled) => filled.reason.trim(),
}

function placeOf({ area, grid, address, lon, lat }: Filled): unknown {
  const point = lon.trim() !== '' && lat.trim() !== '' ? { lon: Number(lon), lat: Number(lat) } : {}
  const place = { ...(area && { area }), ...(grid.trim() && { grid: grid.trim() }), ...(address.trim() && { address: address.trim() }), ...point }
  return Object.keys(place).length > 0 ? place : ''
}

function said(field: Field, filled: Filled): unknown {
  const value = SAID[field](filled)
  return value === '' || value === 0 ? undefined : value
}

/** The body of POST /api/cases/{number}/actions. */
export function order(kind: ActionKind, asked: readonly Asked[], filled: Filled): Record<string, unknown> {
  const given = asked.map(({ field }) => [field, said(field, filled)] as const).filter(([, value]) => value !== undefined)
  return { kind, ...Object.fromEntries(given) }
}

/** Which fields somebody still has to fill in. */
export function lacking(asked: readonly Asked[], filled: Filled): Field[] {
  return asked
    .filter(({ field, required }) => {
      if (!required || said(field, filled) !== undefined) return false
      const other = EITHER[field]
      return other === undefined || !asked.some((one) => one.field === other) || said(other, filled) === undefined
    })
    .map(({ field }) => field)
}
