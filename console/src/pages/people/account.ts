/** Accounts as the hub tells of them, and what may be done to one. */

import type { LimitKind, Limits } from '../../kit/scope'
import type { Right } from '../../session/session'

export const ROLES = ['city_centre', 'district_centre', 'street_centre', 'unit', 'auditor', 'administrator'] as const
export type RoleName = (typeof ROLES)[number]

/** Limits that an account of the role must have; the hub's table is canonical/rights.py. */
export const MUST: Partial<Record<RoleName, LimitKind>> = {
  district_centre: 'areas',
  street_centre: 'areas',
  unit: 'units',
}

export interface Change {
  at: string
  by: string
  what: string
  text: string
}

export interface AccountRow {
  login: string
  name: string
  role: RoleName
  scope: Limits
  rights: Right[]
  codes: boolean
  local: boolean
  linked: boolean
  must_change: boolean
  created_at: string
  seen_at: string | null
  closed_at: string | null
  password?: string
}

export interface AccountShown extends AccountRow {
  /** Seconds. */
  locked_for: number
  changes: Change[]
}

export interface Draft {
  login: string
  name: string
  role: RoleName
  local: boolean
  limits: Limits
}

export function draftOf(one?: AccountRow): Draft {
  const scope = one?.scope
  return {
    login: one?.login ?? '',
    name: one?.name ?? '',
    role: one?.role ?? 'district_centre',
    local: one?.local ?? true,
    limits: {
      areas: [...(scope?.areas ?? [])],
      classes: [...(scope?.classes ?? [])],
      systems: [...(scope?.systems ?? [])],
      units: [...(scope?.units ?? [])],
    },
  }
}

export type Lack = 'login' | 'name' | LimitKind

/** What still has to be said; null: it can be sent. */
export function lackOf(draft: Draft): Lack | null {
  if (!/^[a-z0-9][a-z0-9._@-]{1,63}$/.test(draft.login.trim().toLowerCase())) return 'login'
  if (draft.name.trim() === '') return 'name'
  const must = MUST[draft.role]
  return must && draft.limits[must].length === 0 ? must : null
}

export type Deed = 'reset' | 'unlock' | 'close' | 'reopen' | 'without_codes'

/** What may be done to the account as it is. Nobody closes their own. */
export function deeds(one: AccountShown, own: string): Deed[] {
  if (one.closed_at !== null) return ['reopen']
  const found: Deed[] = one.local ? ['reset'] : []
  if (one.locked_for > 0) found.push('unlock')
  if (one.codes) found.push('without_codes')
  if (one.login !== own) found.push('close')
  return found
}

export interface TreeNode {
  value: string
  label: string
  children?: TreeNode[]
}

/** A tree of rows that name the one above them. */
export function treeOf(rows: readonly { code: string; name: string; parent: string }[]): TreeNode[] {
  const nodes = new Map<string, TreeNode>(rows.map((row) => [row.code, { value: row.code, label: row.name }]))
  const top: TreeNode[] = []
  for (const row of rows) {
    const node = nodes.get(row.code)
    const above = nodes.get(row.parent)
    if (!node) continue
    if (above) (above.children ??= []).push(node)
    else top.push(node)
  }
  return top
}

/** Classes below what their codes begin with: 30428.2:E04 holds 30428.2:E04-06. */
export function classTree(rows: readonly { code: string; name: string }[]): TreeNode[] {
  const groups = new Map<string, TreeNode>()
  for (const row of rows) {
    const cut = row.code.lastIndexOf('-')
    const group = cut < 0 ? row.code : row.code.slice(0, cut)
    const node = groups.get(group) ?? { value: group, label: group, children: [] }
    groups.set(group, node)
    node.children?.push({ value: row.code, label: `${row.code} ${row.name}` })
  }
  return [...groups.values()]
}
