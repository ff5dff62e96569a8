import { describe, expect, it } from 'vitest'

import { lookNow, withLook } from './chartLook'

const LOOK = { series: ['#111'], text: '#222', soft: '#333', line: '#444', raised: '#555', font: 'x', size: 13 }

describe('a chart', () => {
  it('has our colours below what a page says', () => {
    const option = withLook({ xAxis: { type: 'category' }, yAxis: [{ axisLabel: { color: 'red' } }] }, LOOK, false, '图')

    expect(option).toMatchObject({
      color: ['#111'],
      xAxis: { type: 'category', axisLabel: { color: '#333' } },
      yAxis: [{ axisLabel: { color: 'red' }, splitLine: { lineStyle: { color: '#444' } } }],
      aria: { enabled: true, label: { description: '图' } },
    })
  })

  it('draws its tooltips: the policy allows no style in markup', () => {
    expect(withLook({ tooltip: { trigger: 'axis' } }, LOOK, false, '图')).toMatchObject({
      tooltip: { renderMode: 'richText', trigger: 'axis' },
    })
  })

  it('does not move for those who want less motion', () => {
    expect(withLook({}, LOOK, true, '图').animation).toBe(false)
  })

  it('takes its colours from the page', () => {
    document.documentElement.style.setProperty('--series-1', '#abcdef')

    expect(lookNow().series[0]).toBe('#abcdef')
  })
})
