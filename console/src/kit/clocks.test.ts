import { expect, test } from 'vitest'

import { budgetOf, byUrgency, type ClockRun, partsOf } from './clocks'

const run = (more: Partial<ClockRun>): ClockRun => ({
  clock: 'disposal', of: '', unit: 'u', basis: '', state: 'running', started_at: '2026-11-29T09:00:00+08:00', stopped_at: null,
  due_at: '2026-11-29T12:00:00+08:00', provisional: false, overdue: false, extensions: 0, limits: [], pauses: [], spans: [],
  used_seconds: 60, remaining_seconds: 120, ...more,
})

test('the budget is what is used and what is left, also when it is over', () => {
  expect(budgetOf(run({}))).toBe(180)
  expect(budgetOf(run({ used_seconds: 300, remaining_seconds: -120 }))).toBe(180)
  expect(budgetOf(run({ remaining_seconds: null }))).toBeNull()
})

test('the bar goes on after it stood still', () => {
  const span = { since: '', until: '' }
  expect(partsOf(run({ spans: [{ ...span, paused: false, seconds: 5 }, { ...span, paused: true, seconds: 7 }, { ...span, paused: false, seconds: 1 }] }))).toEqual([
    { kind: 'consumed', seconds: 5 }, { kind: 'suspended', seconds: 7 }, { kind: 'consumed', seconds: 1 },
  ])
})

test('what is most urgent stands on top, what ended last of those that ended', () => {
  const runs = [
    run({ clock: 'file', state: 'stopped', stopped_at: '2026-11-29T09:10:00+08:00' }),
    run({ clock: 'case', due_at: '2026-12-29T12:00:00+08:00' }),
    run({ clock: 'dispatch', state: 'stopped', stopped_at: '2026-11-29T09:20:00+08:00' }),
    run({ clock: 'level', state: 'paused', due_at: null }),
    run({ clock: 'disposal' }),
  ]
  expect(byUrgency(runs).map((one) => one.clock)).toEqual(['disposal', 'case', 'level', 'dispatch', 'file'])
})
