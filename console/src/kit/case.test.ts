import { expect, test } from 'vitest'

import { type Assignment, type CaseRow, type Hit, listed, unitOf } from './case'

const given = (unit: string, more: Partial<Assignment> = {}): Assignment => ({
  round: 1, unit, system: 's', share: 'lead', returned_at: null, ...more,
})

test('the unit is the one that leads now: none after a return, whoever was called', () => {
  expect(unitOf({ assignments: [given('a', { returned_at: '2026-01-01T00:00:00+08:00' }), given('b')] })).toBe('b')
  expect(unitOf({ assignments: [given('a'), given('helper', { share: 'joint' })] })).toBe('a')
  expect(unitOf({ assignments: [given('a', { returned_at: '2026-01-01T00:00:00+08:00' })] })).toBe('')
  expect(unitOf({ assignments: [] })).toBe('')
})

test('a case and what a search found are the same kind of row', () => {
  const facts = { no: '1', title: 't', stage: 'closed', queue: null, source: 's', owner: '', class_code: null, received_at: 'r', due_at: null }
  const row = { ...facts, place: { area: '3402', address: 'x' }, assignments: [given('u')], supervision: 'red', urgency: 'urgent', joint: {} }
  const hit = { ...facts, unit: 'u', area: '3402', address: 'x', why: [{ field: 'title' }] }

  expect(listed(row as unknown as CaseRow)).toMatchObject({ unit: 'u', area: '3402', done: true, joint: true, why: [] })
  expect(listed(hit as unknown as Hit)).toMatchObject({ unit: 'u', area: '3402', done: true, joint: false, why: [{ field: 'title' }] })
})
