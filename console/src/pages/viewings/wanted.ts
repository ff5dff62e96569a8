/** What the lists are asked for, as the address has it. Nothing personal stands there: a login, a case, times. */

import type { LocationQuery } from 'vue-router'

export type Tab = 'looks' | 'sign-ins'

export interface Wanted {
  tab: Tab
  login: string
  caseNo: string
  what: string
  since: string
  until: string
}

function one(query: LocationQuery, name: string): string {
  const value = query[name]
  return typeof value === 'string' ? value : ''
}

export function wantedOf(query: LocationQuery): Wanted {
  return {
    tab: query.tab === 'sign-ins' ? 'sign-ins' : 'looks',
    login: one(query, 'login'),
    caseNo: one(query, 'case_no'),
    what: one(query, 'what'),
    since: one(query, 'since'),
    until: one(query, 'until'),
  }
}

export function queryOf(wanted: Wanted): Record<string, string> {
  const every = {
    tab: wanted.tab === 'looks' ? '' : wanted.tab,
    login: wanted.login.trim(),
    case_no: wanted.caseNo.trim(),
    what: wanted.what,
    since: wanted.since,
    until: wanted.until,
  }
  return Object.fromEntries(Object.entries(every).filter(([, value]) => value !== ''))
}

/** A time of Shanghai as a field has it, `2026-11-29T08:00`, for the hub; empty: no limit. */
export function instant(field: string): string {
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/.test(field) ? `${field}:00+08:00` : ''
}
