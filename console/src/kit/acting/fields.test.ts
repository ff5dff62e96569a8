import { describe, expect, test } from 'vitest'

import type { CaseView } from '../journey'
import { asks, EMPTY, first, lacking, type LifecycleRow, order, possible } from './fields'

const row = (action: string, from: string[], needs: string[] = [], who: string[] = ['centre']): LifecycleRow =>
  ({ action, from, needs, who, title: '', to: null, starts: [], stops: [], pauses: [], resumes: [], tells: [] }) as LifecycleRow
const TABLE = [
  row('file', ['reported'], ['class_code', 'standard', 'place']),
  row('sign', ['dispatched'], [], ['owner', 'centre']),
  row('suspend', ['handling'], ['until', 'reason']),
  row('grant_extension', ['handling'], ['limit']),
  row('answer', ['handling'], ['round', 'unit', 'result']),
  row('lift', ['handling'], ['reason']),
  row('remind', ['handling'], ['told'], ['hub']),
  row('take_over', ['handling'], ['reason', 'system']),
  row('dispose', ['handling'], ['result']),
]
const view = (more: object = {}): CaseView =>
  ({
    stage: 'handling', class_code: null, place: { area: null, lon: null }, joint_work: [], request: null, supervision: null, appealing: false, ...more,
  }) as unknown as CaseView
const actions = (rows: readonly LifecycleRow[]): string[] => rows.map((one) => one.action)
const called = { state: 'under_way', units: [{ round: 2, unit: 'u2', answered_at: null, declined_at: null }] }

describe('what may be done', () => {
  test('follows the table: the stage, and what a person can say', () => {
    expect(actions(possible(TABLE, view({ stage: 'reported' })))).toEqual(['file'])
    expect(actions(possible(TABLE, view()))).toEqual(['suspend', 'dispose'])
  })

  test('is asked for only when there is something to decide', () => {
    const asked = view({ request: { kind: 'ask_extension', limit: null, until: null }, supervision: 'red', joint_work: [called] })
    expect(actions(possible(TABLE, asked))).toEqual(['grant_extension', 'answer', 'lift', 'dispose'])
    expect(actions(first(possible(TABLE, asked), asked))).toEqual(['grant_extension', 'dispose'])
  })
})

describe('what is asked', () => {
  test('is needed, unless the case or the hub knows it', () => {
    const file = TABLE[0] as LifecycleRow
    const unknown = view({ stage: 'reported' })
    const known = view({ stage: 'reported', class_code: '30428.2:P01-37', place: { area: '340202', lon: null } })

    expect(lacking(asks(file, unknown), EMPTY)).toEqual(['class_code', 'place'])
    expect(lacking(asks(file, known), EMPTY)).toEqual([])
  })

  test('may be said as a span or as an instant, one of them', () => {
    const suspend = TABLE[2] as LifecycleRow
    const asked = asks(suspend, view())

    expect(lacking(asked, { ...EMPTY, reason: 'r' })).toEqual(['until'])
    expect(lacking(asked, { ...EMPTY, reason: 'r', limit: 3 })).toEqual([])
    expect(lacking(asked, { ...EMPTY, reason: 'r', until: '2026-12-01T09:00' })).toEqual([])
  })
})

describe('an order', () => {
  test('has what was said and nothing empty, with Shanghai\'s time whatever zone the browser is in', () => {
    const suspend = asks(TABLE[2] as LifecycleRow, view())
    const filled = { ...EMPTY, until: '2026-12-01T09:00', reason: ' 等吊车 ' }

    expect(order('suspend', suspend, filled)).toEqual({ kind: 'suspend', until: '2026-12-01T09:00:00+08:00', reason: '等吊车' })
  })

  test('names a place as far as it is known', () => {
    const file = asks(TABLE[0] as LifecycleRow, view({ stage: 'reported' }))
    expect(order('file', file, { ...EMPTY, area: '340202', lon: '118.3', lat: '31.3' })).toEqual({
      kind: 'file', place: { area: '340202', lon: 118.3, lat: 31.3 },
    })
    expect(order('file', file, { ...EMPTY, lon: '118.3' })).toEqual({ kind: 'file' })
  })
})
