/** The columns of the list: which there are, how wide, and which somebody chose. */

import type { Listing } from '../../kit/case'

export const COLUMNS = [
  'no', 'title', 'stage', 'due', 'class', 'place', 'owner', 'source', 'received', 'supervision', 'queue', 'why',
] as const
export type ColumnKey = (typeof COLUMNS)[number]

/** Rem; without it the column shares what is left. */
export const WIDTHS: Partial<Record<ColumnKey, number>> = {
  no: 11.25, stage: 6.25, due: 9.75, class: 6.25, place: 7.5, owner: 7.5, source: 5.5, received: 6.75, supervision: 6,
  queue: 6.5,
}

/** A number alone says nothing. */
export const ALWAYS: readonly ColumnKey[] = ['no', 'title']
/** Supervision stands with the title, too. */
const USUAL: readonly ColumnKey[] = ['no', 'title', 'stage', 'due', 'class', 'place', 'owner', 'source', 'received']
/** What stays beside an open preview, which says the rest. */
const BESIDE: ReadonlySet<ColumnKey> = new Set(['no', 'title', 'stage', 'due', 'why'])

const KEY = 'gridhub.cases.columns'

export function kept(): ColumnKey[] {
  const saved = (localStorage.getItem(KEY) ?? '').split(',')
  const found = COLUMNS.filter((key) => saved.includes(key) || ALWAYS.includes(key))
  return found.length > ALWAYS.length ? found : [...USUAL]
}

export function keep(chosen: readonly ColumnKey[]): void {
  localStorage.setItem(KEY, chosen.join(','))
}

/** `why` is there exactly when something was searched for. */
export function shown(chosen: readonly ColumnKey[], preview: boolean, rows: readonly Listing[]): ColumnKey[] {
  const why = rows.some((row) => row.why.length > 0)
  return COLUMNS.filter((key) => (key === 'why' ? why : chosen.includes(key) && (!preview || BESIDE.has(key))))
}
