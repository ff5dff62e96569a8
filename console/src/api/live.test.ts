import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { Live } from './live'

/** What a browser has for server-sent events, driven by the test. happy-dom has none. */
class Source extends EventTarget {
  static all: Source[] = []
  closed = false

  constructor(readonly url: string) {
    super()
    Source.all.push(this)
  }

  close(): void {
    this.closed = true
  }

  tell(kind: string, data: unknown = {}): void {
    this.dispatchEvent(new MessageEvent(kind, { data: JSON.stringify(data) }))
  }

  fail(): void {
    this.dispatchEvent(new Event('error'))
  }
}

let live: Live
let hidden = false
const last = (): Source => Source.all.at(-1) as Source
const open = (): Source[] => Source.all.filter((source) => !source.closed)

function show(is: boolean): void {
  hidden = !is
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  hidden = false
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden)
  Source.all = []
  live = new Live({ now: Date.now, open: (url) => new Source(url) as unknown as EventSource })
  live.start()
})

afterEach(() => {
  live.stop()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe('the live connection', () => {
  it('is one for all, and tells each kind to those who hear it', () => {
    live.start()
    const heard: unknown[] = []
    const end = live.on('moved', (data) => heard.push(data))
    live.on('systems', () => heard.push('other'))
    last().tell('moved', { no: '1' })
    end()
    last().tell('moved', { no: '2' })

    expect(heard).toEqual([{ no: '1' }])
    expect([open().length, last().url, live.state.value]).toEqual([1, '/api/live', 'live'])
  })

  it('tells who comes later the newest figures, and no old news', () => {
    last().tell('figures', { open: 1 })
    last().tell('figures', { open: 2 })
    last().tell('moved', { no: '1' })
    const heard: unknown[] = []
    live.on('figures', (data) => heard.push(data))
    live.on('moved', (data) => heard.push(data))

    expect(heard).toEqual([{ open: 2 }])
  })

  it('is stale when nothing came for 45 seconds, beats included, and asks anew', () => {
    last().tell('hello')
    vi.advanceTimersByTime(40_000)
    last().tell('beat')
    vi.advanceTimersByTime(44_000)
    expect([live.state.value, live.age.value]).toEqual(['live', 44])

    vi.advanceTimersByTime(3_000)
    expect([live.state.value, open().length, Source.all.length]).toEqual(['stale', 1, 2])
    last().tell('hello')
    expect(live.state.value).toBe('live')
  })

  it('is stale, too, when nothing ever came', () => {
    vi.advanceTimersByTime(47_000)

    expect([live.state.value, live.age.value]).toEqual(['stale', null])
  })

  it('connects again after a failure, each time later, and at once quickly after it worked', () => {
    const waits: number[] = []
    for (let turn = 0; turn < 7; turn++) {
      const before = Source.all.length
      last().fail()
      let waited = 0
      while (Source.all.length === before) {
        vi.advanceTimersByTime(1000)
        waited += 1
      }
      waits.push(waited)
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30])

    last().tell('hello')
    last().fail()
    vi.advanceTimersByTime(1000)
    expect(Source.all).toHaveLength(9)
    expect(open()).toHaveLength(1)
  })

  it('rests when nobody looks for long, and catches up when somebody does', () => {
    last().tell('hello')
    show(false)
    vi.advanceTimersByTime(4 * 60_000)
    last().tell('beat')
    expect(open()).toHaveLength(1)

    vi.advanceTimersByTime(2 * 60_000)
    expect([live.state.value, open().length]).toEqual(['resting', 0])

    show(true)
    expect([live.state.value, open().length]).toEqual(['stale', 1])
    last().tell('hello')
    expect(live.state.value).toBe('live')
  })

  it('keeps nothing of a shift but the newest of each kind', () => {
    for (let at = 0; at < 50_000; at++) last().tell(at % 2 ? 'figures' : 'moved', { at })
    const heard: unknown[] = []
    live.on('figures', (data) => heard.push(data))

    expect(heard).toEqual([{ at: 49_999 }])
    live.stop()
    expect([open().length, live.state.value]).toEqual([0, 'connecting'])
  })
})
