/** Which part of the city somebody sees, in words. */

import { useWords } from '../language/language'
import { type Names, useNames } from './names'

export const LIMITS = ['areas', 'classes', 'systems', 'units'] as const
export type LimitKind = (typeof LIMITS)[number]
export type Limits = Record<LimitKind, string[]>

const NAMED: Record<LimitKind, (names: Names) => (code: string) => string> = {
  areas: (names) => names.area,
  classes: (names) => names.class,
  systems: (names) => names.system,
  units: (names) => names.unit,
}

export interface Part {
  kind: LimitKind
  title: string
  names: string[]
}

/** One part for each kind of limit there is; none: the whole city. */
export function useScope(): (scope: Limits) => Part[] {
  const names = useNames()
  const said = useWords('shared')
  return (scope) =>
    LIMITS.filter((kind) => scope[kind].length > 0).map((kind) => ({
      kind,
      title: said.value.limits[kind],
      names: scope[kind].map(NAMED[kind](names)),
    }))
}
