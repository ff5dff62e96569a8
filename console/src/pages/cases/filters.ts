/** What the list is asked for, as it stands in the address: a link shows the same list, and back goes back. */

import type { LocationQuery, LocationQueryRaw } from 'vue-router'

import type { Query } from '../../api/ask'
import { STAGES } from '../../kit/stage'

export const ORDERS = ['newest', 'due', 'no'] as const
export type Order = (typeof ORDERS)[number]

export const QUEUES = [
  'location_unknown', 'class_unknown', 'to_file', 'to_verify', 'no_owner', 'returned', 'at_desk', 'to_check', 'to_close',
] as const
export const LEVELS = ['community', 'street', 'district', 'city'] as const

/** Empty: no limit. Days are those of Asia/Shanghai, both of them included. */
export interface Filters {
  q: string
  stage: string
  queue: string
  class: string
  area: string
  unit: string
  source: string
  owner: string
  level: string
  from: string
  until: string
  due: string
  overdue: boolean
  order: Order
}

export const NONE: Filters = {
  q: '', stage: '', queue: '', class: '', area: '', unit: '', source: '', owner: '', level: '', from: '', until: '',
  due: '', overdue: false, order: 'newest',
}

const DAY = /^\d{4}-\d{2}-\d{2}$/
/** What an address may say; anything else of it is left out rather than asked. */
const SAYS: Partial<Record<keyof Filters, (value: string) => boolean>> = {
  stage: (value) => (STAGES as readonly string[]).includes(value),
  queue: (value) => (QUEUES as readonly string[]).includes(value),
  level: (value) => (LEVELS as readonly string[]).includes(value),
  area: (value) => /^\d{1,12}$/.test(value),
  from: (value) => DAY.test(value),
  until: (value) => DAY.test(value),
  due: (value) => DAY.test(value),
}
const TEXTS = ['q', 'stage', 'queue', 'class', 'area', 'unit', 'source', 'owner', 'level', 'from', 'until', 'due'] as const

export function fromAddress(query: LocationQuery): Filters {
  const found: Filters = { ...NONE, overdue: query.overdue === 'true' }
  for (const name of TEXTS) {
    const value = query[name]
    const given = (typeof value === 'string' ? value : '').trim().slice(0, 100)
    if (given !== '' && (SAYS[name]?.(given) ?? true)) found[name] = given
  }
  found.order = ORDERS.find((one) => one === query.order) ?? NONE.order
  return found
}

/** Only what limits: the plain list has a plain address. */
export function toAddress(filters: Filters): LocationQueryRaw {
  const given: LocationQueryRaw = {}
  for (const name of TEXTS) if (filters[name] !== '') given[name] = filters[name]
  if (filters.overdue) given.overdue = 'true'
  if (filters.order !== NONE.order) given.order = filters.order
  return given
}

/** The names of the filters that limit, in the order in which they are shown. */
export function active(filters: Filters): (keyof Filters)[] {
  const texts = TEXTS.filter((name) => filters[name] !== '')
  return filters.overdue ? [...texts, 'overdue'] : texts
}

/** The day after: the API's "before" for "until that day". */
export function following(day: string): string {
  const next = new Date(`${day}T00:00:00Z`)
  next.setUTCDate(next.getUTCDate() + 1)
  return next.toISOString().slice(0, 10)
}

/** What the API is asked. A search has an order of its own: numbers first, then the newest. */
export function asked(filters: Filters): { path: string; query: Query } {
  const { q, stage, queue, area, unit, source, owner, level } = filters
  const query: Query = {
    stage, queue, class: filters.class, area, unit, source, owner, level,
    received_from: filters.from,
    received_until: filters.until === '' ? '' : following(filters.until),
    due_before: filters.due === '' ? '' : following(filters.due),
    overdue: filters.overdue ? true : null,
  }
  if (q !== '') return { path: '/api/search', query: { ...query, q } }
  return { path: '/api/cases', query: { ...query, order: filters.order } }
}
