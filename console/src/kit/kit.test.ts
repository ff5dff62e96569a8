import { mount } from '@vue/test-utils'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'

import { ApiError } from '../api/ask'
import { speak } from '../language/language'
import { fromBase64, hexDump, textOf } from './bytes'
import BytesView from './BytesView.vue'
import ConfirmReason from './ConfirmReason.vue'
import Countdown from './Countdown.vue'
import DataTable from './DataTable.vue'
import Figure from './Figure.vue'
import JsonView from './JsonView.vue'
import { latenessOf } from './lateness'
import LedgerBar from './LedgerBar.vue'
import Page from './Page.vue'
import { STAGES } from './stage'
import StageTag from './StageTag.vue'
import TimeLine from './TimeLine.vue'

afterEach(() => vi.useRealTimers())

const HOUR = 3600

describe('a page', () => {
  it('shows that it is being asked, and its content when there is an answer', async () => {
    const page = mount(Page, { props: { title: '案件', loading: true }, slots: { default: 'content' } })
    expect(page.find('[role=status]').text()).toContain('正在加载')
    expect(page.text()).not.toContain('content')

    await page.setProps({ loading: false })
    expect(page.text()).toContain('content')
  })

  it('says what went wrong with its hint, and asks again', async () => {
    const error = new ApiError(409, 'x', '这个编号没有案件', '请检查编号')
    const page = mount(Page, { props: { title: '案件', error }, slots: { default: 'content' } })

    expect(page.find('[role=alert]').text()).toContain('这个编号没有案件')
    expect(page.find('[role=alert]').text()).toContain('请检查编号')
    expect(page.text()).not.toContain('content')
    await page.find('button').trigger('click')
    expect(page.emitted('retry')).toHaveLength(1)
  })

  it('keeps what was there when a later look fails', () => {
    const page = mount(Page, { props: { title: '案件', error: new Error('x'), ready: true }, slots: { default: 'content' } })

    expect(page.text()).toContain('content')
  })

  it('says that there is nothing', () => {
    expect(mount(Page, { props: { title: '案件', empty: true } }).text()).toContain('没有数据')
  })
})

describe('a stage', () => {
  it('has a word in both languages and an icon, whichever it is', () => {
    for (const stage of STAGES) {
      speak('zh')
      const tag = mount(StageTag, { props: { stage } })
      expect(tag.text()).toMatch(/[\u4e00-\u9fff]/)
      expect(tag.find('svg').exists()).toBe(true)
      speak('en')
      expect(mount(StageTag, { props: { stage } }).text()).toMatch(/^[A-Z]/)
    }
  })
})

describe('a countdown', () => {
  it('runs from what is left over to how late it is', async () => {
    vi.useFakeTimers({ now: Date.parse('2026-03-16T08:00:00+08:00') })
    const due = '2026-03-16T10:05:00+08:00'
    const left = mount(Countdown, { props: { due, budget: 8 * HOUR } })
    expect(left.text()).toBe('还剩 2 小时 5 分')
    expect(left.classes()).toContain('easy')

    vi.setSystemTime(Date.parse('2026-03-16T09:59:58+08:00'))
    vi.advanceTimersByTime(1000)
    await nextTick()
    expect(left.text()).toBe('还剩 5 分 1 秒')
    expect(left.classes()).toContain('near')

    vi.setSystemTime(Date.parse('2026-03-18T10:05:00+08:00'))
    vi.advanceTimersByTime(1000)
    await nextTick()
    expect(left.text()).toBe('超时 2 天')
    expect(left.classes()).toContain('late')
    expect(left.find('svg').exists()).toBe(true)
  })

  it('says when it stands still and when there is no limit', () => {
    expect(mount(Countdown, { props: { due: null } }).text()).toBe('无时限')
    expect(mount(Countdown, { props: { due: '2020-01-01T00:00:00+08:00', paused: true } }).text()).toBe('已暂停')
  })

  it('is near in the last fifth', () => {
    const states = [10 * HOUR, 2.1 * HOUR, 2 * HOUR, 0, -1].map((left) => latenessOf(left, 10 * HOUR))
    expect(states).toEqual(['easy', 'easy', 'near', 'near', 'late'])
  })
})

describe('a ledger', () => {
  it('says what consumed the limit, what stood still, and how far it is over', () => {
    const parts = [
      { kind: 'consumed', seconds: 6 * HOUR, title: '镜湖区' },
      { kind: 'suspended', seconds: HOUR },
      { kind: 'consumed', seconds: 4 * HOUR },
    ] as const
    const bar = mount(LedgerBar, { props: { parts, budget: 8 * HOUR } })

    expect(bar.attributes('aria-label')).toBe('时限 8 小时: 镜湖区 6 小时, 暂停 1 小时, 已用 2 小时, 已用 2 小时')
    expect(bar.findAll('span').map((part) => part.classes()[0])).toEqual(['consumed', 'suspended', 'consumed', 'late'])
    expect(bar.find('b').text()).toBe('超时 2 小时')
  })

  it('shows what is left', () => {
    const bar = mount(LedgerBar, { props: { parts: [{ kind: 'consumed', seconds: HOUR }], budget: 4 * HOUR } })

    expect(bar.attributes('aria-label')).toContain('剩余 3 小时')
    expect(bar.find('b').exists()).toBe(false)
  })
})

describe('a figure', () => {
  it('is written with its name and whence it goes', () => {
    const figure = mount(Figure, { props: { title: '今日收件', value: 12345, change: -20, more: 'bad' } })

    expect(figure.text()).toContain('12,345')
    expect(figure.find('.trend').text()).toBe('下降 20')
    expect(figure.find('.trend').classes()).toContain('good')
  })

  it('says that it no longer holds, and that it is not known', () => {
    expect(mount(Figure, { props: { title: 'x', value: 1, stale: true } }).text()).toContain('数据已停止更新')
    expect(mount(Figure, { props: { title: 'x', value: null } }).find('strong').text()).toBe('—')
  })
})

describe('a time line', () => {
  it('tells in order, in Shanghai time whatever the zone of the browser', () => {
    const entries = [
      { key: '1', at: '2026-03-15T16:30:00Z', lane: '12345' },
      { key: '2', at: '2026-03-16T09:00:00+08:00', lane: '城管', tone: 'bad' as const },
    ]
    const line = mount(TimeLine<(typeof entries)[number]>, { props: { entries, label: '经过' } })

    expect(line.findAll('time').map((time) => time.text())).toEqual(['2026-03-16 00:30:00', '2026-03-16 09:00:00'])
  })
})

describe('bytes', () => {
  const bytes = fromBase64('zsq697awIQA=') // 芜湖东! in GB18030, and a nought

  it('are read in their encoding, and in hex', async () => {
    const view = mount(BytesView, { props: { bytes, encoding: 'gb18030', label: '原文' } })
    expect(view.find('pre').text()).toContain('!')
    expect(view.text()).toContain('8 字节')

    await view.findAll('input')[1]?.setValue(true)
    expect(view.find('pre').text()).toBe(hexDump(bytes).trim())
  })

  it('stand in rows of sixteen with what prints', () => {
    expect(hexDump(new TextEncoder().encode('GET /api/cases HT'))).toBe(
      '00000000  47 45 54 20 2f 61 70 69 2f 63 61 73 65 73 20 48  GET /api/cases H\n' +
        `00000010  54${' '.repeat(47)}T`,
    )
  })

  it('of an unknown encoding are shown all the same', () => {
    expect(textOf(new TextEncoder().encode('芜湖'), 'no-such-encoding')).toBe('芜湖')
  })

  it('that are very many are cut, and the view says so', () => {
    const view = mount(BytesView, { props: { bytes: new Uint8Array(300 * 1024), label: 'x' } })

    expect(view.text()).toContain('只显示前 262,144 字节')
  })
})

it('data is shown as it is, and never as markup', () => {
  const view = mount(JsonView, { props: { data: { text: '<b>占道</b>' }, label: '案件' } })

  expect(view.find('pre').text()).toContain('"text": "<b>占道</b>"')
  expect(view.find('b').exists()).toBe(false)
})

describe('a table', () => {
  interface Row {
    no: string
  }
  const columns = [{ key: 'no', title: '编号', text: (row: Row) => row.no }]
  const rows = Array.from({ length: 100_000 }, (_, index) => ({ no: `A${index}` }))
  const rowKey = (row: Row): string => row.no
  const made = (more: object = {}) =>
    mount(DataTable<Row>, { props: { columns, rows, rowKey, label: '案件', ...more }, attachTo: document.body })

  it('of a hundred thousand rows has those in sight in the page, and tells how many there are', () => {
    const table = made()

    expect(table.findAll('tbody tr[data-index]').length).toBeLessThan(60)
    expect(table.find('table').attributes('aria-rowcount')).toBe('100001')
    expect(table.find('.foot').text()).toBe('共 100,000 条，已全部加载')
  })

  it('shows other rows when it is scrolled', async () => {
    const table = made()
    const box = table.find('.box')
    box.element.scrollTop = 36 * 50_000
    await box.trigger('scroll')

    const shown = table.findAll('tbody tr[data-index]').map((row) => Number(row.attributes('data-index')))
    expect(shown).toContain(50_000)
    expect(shown).not.toContain(0)
  })

  it('asks for more when the end comes near, and not before', async () => {
    const table = made({ rows: rows.slice(0, 500), unfinished: true })
    expect(table.emitted('more')).toBeUndefined()

    const box = table.find('.box')
    box.element.scrollTop = 36 * 460
    await box.trigger('scroll')
    expect(table.emitted('more')).toHaveLength(1)
  })

  it('is walked and opened with the keys alone', async () => {
    const table = made({ opens: true, ticks: true })
    const row = (index: number) => table.find(`tr[data-index="${index}"]`)
    await row(0).trigger('keydown', { key: 'ArrowDown' })
    expect(document.activeElement).toBe(row(1).element)

    await row(1).trigger('keydown', { key: 'End' })
    await nextTick()
    expect(document.activeElement?.getAttribute('data-index')).toBe('99999')

    await row(99_999).trigger('keydown', { key: 'Enter' })
    expect(table.emitted('open')).toEqual([[{ no: 'A99999' }]])
    await row(99_999).trigger('keydown', { key: ' ' })
    expect(table.emitted('update:ticked')).toEqual([[new Set(['A99999'])]])
  })
})

describe('a confirmation', () => {
  const texts = (): string => document.body.textContent

  async function opened(act: (reason: string) => Promise<unknown>) {
    const dialog = mount(ConfirmReason, {
      props: { modelValue: false, title: '暂停平台', effect: '不再向该平台发送报文。', act },
      attachTo: document.body,
    })
    await dialog.setProps({ modelValue: true })
    await nextTick()
    return dialog
  }

  async function submit(reason: string): Promise<void> {
    const box = document.querySelector('textarea')
    if (box) box.value = reason
    box?.dispatchEvent(new Event('input'))
    document.querySelector('form')?.dispatchEvent(new Event('submit'))
    await vi.waitFor(() => nextTick())
    await new Promise((done) => setTimeout(done))
  }

  it('says what happens, and does nothing without a reason', async () => {
    const act = vi.fn(() => Promise.resolve())
    await opened(act)
    expect(texts()).toContain('不再向该平台发送报文。')

    await submit('  ')
    expect(act).not.toHaveBeenCalled()
    expect(texts()).toContain('请填写理由')
  })

  it('does it with the reason, and closes', async () => {
    const act = vi.fn(() => Promise.resolve())
    const dialog = await opened(act)
    await submit(' 对方检修 ')

    expect(act).toHaveBeenCalledWith('对方检修')
    expect(dialog.emitted('update:modelValue')).toEqual([[false]])
    expect(dialog.emitted('done')).toHaveLength(1)
  })

  it('shows what went wrong and keeps what was typed', async () => {
    const dialog = await opened(() => Promise.reject(new ApiError(409, 'x', '已经暂停了', '')))
    await submit('对方检修')

    expect(texts()).toContain('已经暂停了')
    expect(document.querySelector('textarea')?.value).toBe('对方检修')
    expect(dialog.emitted('update:modelValue')).toBeUndefined()
  })
})
