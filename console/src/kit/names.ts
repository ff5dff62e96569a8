/** What units, classes, divisions and systems are called: asked once, and shown beside their codes. */

import { computed, type ComputedRef, shallowRef } from 'vue'

import { ask, type Listed } from '../api/ask'

export interface Unit {
  id: string
  name: string
  level: string
  area: string
  parent: string | null
  system: string | null
}

export interface Limit {
  value: number
  unit: string
}

export interface Standard {
  id: string
  condition: string
  closing: string
  default: boolean
  limit: Limit
}

export interface CaseClass {
  code: string
  name: string
  kind: 'part' | 'event'
  acceptance: string
  reason: string
  standards: Standard[]
}

export interface Division {
  code: string
  level: string
  name: string
  parent: string
}

export interface SystemName {
  code: string
  name: string
  source: boolean
  owner: boolean
}

/** One list of the hub's, by key. What cannot be had stays empty, and is asked for again by the next page. */
class Known<Row> {
  readonly rows = shallowRef<readonly Row[]>([])
  readonly by: ComputedRef<ReadonlyMap<string, Row>>
  private asking: Promise<void> | null = null

  constructor(
    private readonly path: string,
    key: (row: Row) => string,
  ) {
    this.by = computed(() => new Map(this.rows.value.map((row) => [key(row), row])))
  }

  load(): void {
    if (this.rows.value.length > 0 || this.asking) return
    this.asking = this.all().finally(() => (this.asking = null))
  }

  private async all(): Promise<void> {
    try {
      const found: Row[] = []
      let after: string | null = null
      do {
        const page: Partial<Listed<Row>> = await ask(this.path, { query: { after } })
        found.push(...(page.items ?? []))
        after = page.next ?? null
      } while (after !== null)
      this.rows.value = found
    } catch {
      // A code without its name can be read; the page's own question says what is wrong.
    }
  }
}

const units = new Known<Unit>('/api/units', (unit) => unit.id)
const classes = new Known<CaseClass>('/api/classes', (one) => one.code)
const divisions = new Known<Division>('/api/divisions', (one) => one.code)
const systems = new Known<SystemName>('/api/system-titles', (one) => one.code)

/** The divisions from the county down: 镜湖区 赭山街道; the city goes without saying. */
function areaName(code: string | null | undefined): string {
  if (!code) return ''
  const names: string[] = []
  let at = divisions.by.value.get(code)
  while (at && at.parent !== '') {
    names.unshift(at.name)
    at = divisions.by.value.get(at.parent)
  }
  if (names.length > 0) return names.join(' ')
  return divisions.by.value.get(code)?.name ?? code
}

/** Where it is, for a narrow cell: the street and the community. */
function placeName(code: string | null | undefined): string {
  return areaName(code).split(' ').slice(-2).join(' ')
}

export interface Names {
  units: ComputedRef<readonly Unit[]>
  classes: ComputedRef<readonly CaseClass[]>
  divisions: ComputedRef<readonly Division[]>
  systems: ComputedRef<readonly SystemName[]>
  unit: (id: string | null | undefined) => string
  class: (code: string | null | undefined) => string
  area: (code: string | null | undefined) => string
  place: (code: string | null | undefined) => string
  system: (id: string | null | undefined) => string
}

/** The lists and the names in them; a code that is in none of them stands for itself. */
export function useNames(): Names {
  for (const one of [units, classes, divisions, systems]) one.load()
  return {
    units: computed(() => units.rows.value),
    classes: computed(() => classes.rows.value),
    divisions: computed(() => divisions.rows.value),
    systems: computed(() => systems.rows.value),
    unit: (id) => units.by.value.get(id ?? '')?.name ?? id ?? '',
    class: (code) => classes.by.value.get(code ?? '')?.name ?? code ?? '',
    area: areaName,
    place: placeName,
    system: (id) => systems.by.value.get(id ?? '')?.name ?? id ?? '',
  }
}
