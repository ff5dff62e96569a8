import { describe, expect, it } from 'vitest'

import { type AccountShown, classTree, deeds, draftOf, lackOf, treeOf } from './account'

const SHOWN: AccountShown = {
  login: 'li.na', name: '示例李', role: 'unit', scope: { areas: [], classes: [], systems: [], units: ['3402-urban'] },
  rights: ['see'], codes: false, local: true, linked: false, must_change: false, created_at: '', seen_at: null,
  closed_at: null, locked_for: 0, changes: [],
}

describe('an account that is being written', () => {
  it('says what it lacks, the limit of its role too', () => {
    const draft = draftOf(SHOWN)
    expect(lackOf(draft)).toBeNull()
    expect(lackOf({ ...draft, limits: { ...draft.limits, units: [] } })).toBe('units')
    expect(lackOf({ ...draft, login: '李娜' })).toBe('login')
    expect(lackOf({ ...draft, name: ' ' })).toBe('name')
    expect(lackOf({ ...draft, role: 'auditor', limits: draftOf().limits })).toBeNull()
  })

  it('shares nothing with the account it was begun from', () => {
    const draft = draftOf(SHOWN)
    draft.limits.units.push('x')
    expect(SHOWN.scope.units).toEqual(['3402-urban'])
  })
})

describe('what may be done', () => {
  it('follows from how the account is', () => {
    expect(deeds(SHOWN, 'admin')).toEqual(['reset', 'close'])
    expect(deeds({ ...SHOWN, locked_for: 3, codes: true }, 'admin')).toEqual(['reset', 'unlock', 'without_codes', 'close'])
    expect(deeds({ ...SHOWN, closed_at: 'x' }, 'admin')).toEqual(['reopen'])
    expect(deeds(SHOWN, 'li.na')).toEqual(['reset'])
    expect(deeds({ ...SHOWN, local: false }, 'admin')).toEqual(['close'])
  })
})

describe('trees', () => {
  it('hang rows below the one they name, or below the beginning of their codes', () => {
    const divisions = treeOf([
      { code: '3402', name: '芜湖市', parent: '' },
      { code: '340202', name: '镜湖区', parent: '3402' },
    ])
    expect(divisions).toEqual([{ value: '3402', label: '芜湖市', children: [{ value: '340202', label: '镜湖区' }] }])
    const [group] = classTree([{ code: '30428.2:E04-06', name: '店外经营' }])
    expect(group?.value).toBe('30428.2:E04')
    expect(group?.children?.[0]?.value).toBe('30428.2:E04-06')
  })
})
