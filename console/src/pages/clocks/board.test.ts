import { expect, test } from 'vitest'

import { asked, casesOf, type ClockRow, type Count, fromAddress, keyOf, toAddress, totals } from './board'

test('what stands in an address comes back from it, and what it must not say is left out', () => {
  const board = fromAddress({ tab: 'suspended', within: '3d', by: 'clock', unit: 'u', system: '', clock: 'sign' })

  expect(fromAddress(toAddress(board) as Record<string, string>)).toEqual(board)
  expect(toAddress(fromAddress({ tab: 'x', within: '9y', by: '' }))).toEqual({})
})

test('each tab asks for what it shows', () => {
  const board = fromAddress({ within: '4h' })

  expect(asked(board)).toMatchObject({ overdue: true })
  expect(asked({ ...board, tab: 'near' })).toEqual({ unit: '', system: '', clock: '', within: '4h', state: 'near' })
  expect(asked({ ...board, tab: 'suspended' })).toMatchObject({ state: 'suspended', within: '366d' })
})

test('the figures of the tabs are the sums of the groups', () => {
  const one: Count = { key: 'a', overdue: 2, near: 1, suspended: 0, provisional: 0, arbitration: 1 }
  expect(totals([one, { ...one, key: 'b', overdue: 5 }])).toEqual({ overdue: 7, near: 2, suspended: 0, provisional: 0, arbitration: 2 })
})

test('a case with several chosen clocks is handled once', () => {
  const row = (no: string, clock: string): ClockRow => ({ case_no: no, case_title: `t${no}`, clock, of: '' }) as ClockRow
  const rows = [row('1', 'sign'), row('1', 'disposal'), row('2', 'sign'), row('3', 'sign')]
  const chosen = new Set([keyOf(rows[0] as ClockRow), keyOf(rows[1] as ClockRow), keyOf(rows[3] as ClockRow)])

  expect(casesOf(rows, chosen).map((one) => one.no)).toEqual(['1', '3'])
})
