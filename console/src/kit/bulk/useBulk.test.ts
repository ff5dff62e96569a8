import { expect, test } from 'vitest'

import { ApiError } from '../../api/ask'
import { useBulk } from './useBulk'

const ITEMS = [{ no: '1', title: 'a' }, { no: '2', title: 'b' }, { no: '3', title: 'c' }]

test('each has its own outcome, and one that fails stops none of the others', async () => {
  const sent: [string, unknown][] = []
  const bulk = useBulk(async (no, body) => {
    sent.push([no, body])
    if (no === '2') throw new ApiError(409, 'rule_7', 'not from closed', 'see the table')
    await Promise.resolve()
  })
  await bulk.run(ITEMS, (item) => ({ kind: 'supervise', of: item.no }))

  expect(sent.map(([no]) => no)).toEqual(['1', '2', '3'])
  expect(bulk.outcomes.value.map((one) => [one.no, one.state, one.text])).toEqual([
    ['1', 'done', ''], ['2', 'failed', 'not from closed see the table'], ['3', 'done', ''],
  ])
  expect([bulk.good.value, bulk.bad.value, bulk.running.value]).toEqual([2, 1, false])
})

test('whoever stops it leaves the rest as it was', async () => {
  const bulk = useBulk(async () => {
    bulk.stop()
    await Promise.resolve()
  })
  await bulk.run(ITEMS, () => ({}))

  expect(bulk.outcomes.value.map((one) => one.state)).toEqual(['done', 'waiting', 'waiting'])
})
