import { describe, expect, it } from 'vitest'

import { instant, queryOf, wantedOf } from './wanted'

describe('what is asked for', () => {
  it('comes back from the address as it went there', () => {
    const query = { tab: 'sign-ins', login: 'wang.min', since: '2026-11-29T08:00' }
    expect(queryOf(wantedOf(query))).toEqual(query)
    expect(queryOf(wantedOf({}))).toEqual({})
  })

  it('takes a field for a time of Shanghai, and nothing else', () => {
    expect(instant('2026-11-29T08:00')).toBe('2026-11-29T08:00:00+08:00')
    expect(instant('yesterday')).toBe('')
  })
})
