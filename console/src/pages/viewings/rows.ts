/** Rows of the two logs, and their words. */

import type { Words } from '../../language/tables'

export interface SignInRow {
  id: string
  at: string
  login: string
  way: string
  outcome: string
  address: string
}

export interface ViewingRow {
  id: string
  at: string
  login: string
  what: string
  case_no: string
  subject: string
  reason: string
}

type Said = Words['viewings']

export function outcomeWords(said: Said, outcome: string): string {
  return (said.outcomes as Record<string, string>)[outcome] ?? outcome
}

/** `oidc:city` is the city's provider, whatever it is called. */
export function wayWords(said: Said, way: string): string {
  return (said.ways as Record<string, string>)[way.split(':')[0] ?? ''] ?? way
}

export function whatWords(said: Said, what: string): string {
  return (said.whats as Record<string, string>)[what] ?? what
}
