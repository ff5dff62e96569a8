import { expect, test } from 'vitest'

import type { Listing } from '../../kit/case'
import { keep, kept, shown } from './columns'

const found = [{ why: [{ field: 'title' }] }] as unknown as Listing[]

test('a choice is kept in this browser, and number and title always stay', () => {
  keep(['no', 'title', 'due'])
  expect(kept()).toEqual(['no', 'title', 'due'])
  localStorage.setItem('gridhub.cases.columns', 'nonsense')
  expect(kept()).toContain('place')
})

test('beside a preview stands what tells cases apart', () => {
  expect(shown(kept(), true, [])).toEqual(['no', 'title', 'stage', 'due'])
})

test('why something was found is shown where something was searched', () => {
  expect(shown(['no', 'title'], false, [])).not.toContain('why')
  expect(shown(['no', 'title'], false, found)).toContain('why')
})
