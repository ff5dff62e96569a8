/**
 * What the hub tells by itself, at /api/live: one connection for all pages.
 *
 * When nothing has come for a while the console says since when, and greys its figures: a screen that stands still must
 * not look alive. Nothing is kept but the newest message of each kind, so that a shift of a day costs no memory.
 */

import { computed, onScopeDispose, readonly, ref } from 'vue'

export type Kind = 'hello' | 'moved' | 'figures' | 'systems' | 'beat'
export type LiveState = 'connecting' | 'live' | 'stale' | 'resting'
type Hear = (data: unknown) => void

const KINDS: readonly Kind[] = ['hello', 'moved', 'figures', 'systems', 'beat']
/** Three heartbeats of 15 s. */
const STALE_AFTER = 45_000
const LOOK_EVERY = 1_000
const FIRST_WAIT = 1_000
const LONGEST_WAIT = 30_000
/** A hidden tab lets go after this; shown again, it asks anew and is told where things stand. */
const REST_AFTER = 5 * 60_000

export interface Clockwork {
  now: () => number
  open: (url: string) => EventSource
}

export class Live {
  private readonly stateRef = ref<LiveState>('connecting')
  private readonly heardRef = ref(0)
  private readonly nowRef = ref(0)
  private readonly hearers = new Map<Kind, Set<Hear>>()
  private readonly newest = new Map<Kind, unknown>()
  private source: EventSource | null = null
  private began = 0
  private wait = FIRST_WAIT
  private retry: ReturnType<typeof setTimeout> | undefined
  private look: ReturnType<typeof setInterval> | undefined
  private rest: ReturnType<typeof setTimeout> | undefined

  readonly state = readonly(this.stateRef)
  /** When the last message came, in milliseconds; 0: never. */
  readonly heard = readonly(this.heardRef)
  /** Seconds since then. */
  readonly age = computed(() =>
    this.heardRef.value === 0 ? null : Math.max(0, (this.nowRef.value - this.heardRef.value) / 1000),
  )

  constructor(private readonly clockwork: Clockwork = { now: Date.now, open: (url) => new EventSource(url) }) {}

  start(): void {
    if (this.look !== undefined) return
    this.began = this.clockwork.now()
    this.look = setInterval(this.watch, LOOK_EVERY)
    document.addEventListener('visibilitychange', this.shown)
    this.connect()
  }

  stop(): void {
    clearInterval(this.look)
    clearTimeout(this.rest)
    this.look = undefined
    document.removeEventListener('visibilitychange', this.shown)
    this.letGo()
    this.newest.clear()
    this.heardRef.value = 0
    this.stateRef.value = 'connecting'
  }

  /** Hear a kind of message from now on, and at once the newest one that came before. Call what it returns to end. */
  on(kind: Kind, hear: Hear): () => void {
    const all = this.hearers.get(kind) ?? new Set<Hear>()
    this.hearers.set(kind, all.add(hear))
    if (this.newest.has(kind)) hear(this.newest.get(kind))
    return () => all.delete(hear)
  }

  private connect(): void {
    this.letGo()
    const source = this.clockwork.open('/api/live')
    this.source = source
    for (const kind of KINDS) source.addEventListener(kind, (event) => this.told(kind, event))
    source.addEventListener('error', () => {
      if (this.source !== source) return
      this.letGo()
      this.retry = setTimeout(() => this.connect(), this.wait)
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT)
    })
  }

  private letGo(): void {
    clearTimeout(this.retry)
    this.source?.close()
    this.source = null
  }

  private told(kind: Kind, event: MessageEvent<string>): void {
    this.heardRef.value = this.nowRef.value = this.clockwork.now()
    this.wait = FIRST_WAIT
    this.stateRef.value = 'live'
    let data: unknown = null
    try {
      data = JSON.parse(event.data)
    } catch {
      return // a beat may be empty
    }
    if (kind !== 'moved') this.newest.set(kind, data) // what moved once is no news to a page that opens later
    for (const hear of this.hearers.get(kind) ?? []) hear(data)
  }

  private readonly watch = (): void => {
    this.nowRef.value = this.clockwork.now()
    const silent = this.nowRef.value - Math.max(this.heardRef.value, this.began) > STALE_AFTER
    if ((this.stateRef.value === 'live' || this.stateRef.value === 'connecting') && silent) {
      this.stateRef.value = 'stale'
      if (this.source) this.connect() // a connection may be dead without an error
    }
  }

  private readonly shown = (): void => {
    clearTimeout(this.rest)
    if (document.hidden) {
      this.rest = setTimeout(() => {
        this.letGo()
        this.stateRef.value = 'resting'
      }, REST_AFTER)
    } else if (this.stateRef.value === 'resting' || this.stateRef.value === 'stale') {
      this.wait = FIRST_WAIT
      if (this.heardRef.value !== 0) this.stateRef.value = 'stale'
      this.connect()
    }
  }
}

export const live = new Live()

/** Hear a kind of message for as long as the component lives. */
export function useLive(kind: Kind, hear: Hear): void {
  onScopeDispose(live.on(kind, hear))
}
