import { expect, test } from 'vitest'

import { active, asked, following, fromAddress, NONE, toAddress } from './filters'

test('what stands in an address comes back from it', () => {
  const filters = { ...NONE, q: 'DH1', stage: 'handling', area: '340202', from: '2026-11-01', overdue: true, order: 'due' as const }

  expect(fromAddress(toAddress(filters) as Record<string, string>)).toEqual(filters)
  expect(toAddress(NONE)).toEqual({})
})

test('what an address must not say is left out', () => {
  const query = { stage: 'x', queue: 'to_file', area: 'abc', from: '1.11.', order: 'sideways', overdue: '1', q: ['a', 'b'] }

  expect(fromAddress(query)).toEqual({ ...NONE, queue: 'to_file' })
})

test('days are whole: until a day is before the following one', () => {
  expect(following('2026-12-31')).toBe('2027-01-01')
  expect(following('2028-02-28')).toBe('2028-02-29')
  const { query } = asked({ ...NONE, from: '2026-11-01', until: '2026-11-30' })
  expect(query).toMatchObject({ received_from: '2026-11-01', received_until: '2026-12-01', order: 'newest' })
})

test('a search has its own order, and keeps the filters', () => {
  const { path, query } = asked({ ...NONE, q: '路灯', order: 'due', stage: 'handling' })

  expect(path).toBe('/api/search')
  expect(query).toMatchObject({ q: '路灯', stage: 'handling' })
  expect(query).not.toHaveProperty('order')
})

test('what limits is named, the order is not a limit', () => {
  expect(active({ ...NONE, order: 'no' })).toEqual([])
  expect(active({ ...NONE, overdue: true, unit: 'u' })).toEqual(['unit', 'overdue'])
})
