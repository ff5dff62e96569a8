/** The one table of pages. Menu, router, command palette and tests come from it. */

import {
  ChatLineSquare, Connection, DataAnalysis, Files, Key, MapLocation, Message, Odometer, Promotion, RefreshRight, Timer,
  Tickets, User, View, WarnTriangleFilled,
} from '@element-plus/icons-vue'
import type { Component } from 'vue'

import type { Words } from './language/tables'
import type { Right } from './session/session'

/** A part of the words that a page may have; its `title` is the page's. */
export type PageName = Exclude<keyof Words, 'shared' | 'acting' | 'shell' | 'signIn' | 'noRight'>

/** Headings of the menu, in its order. */
export const GROUPS = ['watch', 'work', 'exchange', 'judge', 'people'] as const
export type Group = (typeof GROUPS)[number]

export interface PageEntry {
  path: string
  /** The route's name, and the part of the words that is the page's own. */
  name: PageName
  /** What somebody must be allowed to do; null: to be signed in is enough. */
  right: Right | null
  icon: Component
  /** Where it stands in the menu; null: nowhere. */
  group: Group | null
  load: () => Promise<{ default: Component }>
}

export const PAGES: readonly PageEntry[] = [
  { path: '/', name: 'cockpit', right: 'see', icon: Odometer, group: 'watch', load: () => import('./pages/cockpit/Cockpit.vue') },
  { path: '/map', name: 'map', right: 'see', icon: MapLocation, group: 'watch', load: () => import('./pages/map/CityMap.vue') },
  { path: '/systems', name: 'systems', right: 'watch', icon: Connection, group: 'watch', load: () => import('./pages/systems/Systems.vue') },
  { path: '/clocks', name: 'clocks', right: 'see', icon: Timer, group: 'watch', load: () => import('./pages/clocks/Clocks.vue') },
  { path: '/cases', name: 'cases', right: 'see', icon: Files, group: 'work', load: () => import('./pages/cases/Cases.vue') },
  { path: '/cases/:no', name: 'case', right: 'see', icon: Tickets, group: null, load: () => import('./pages/case/Case.vue') },
  { path: '/dispatch', name: 'dispatch', right: 'act', icon: Promotion, group: 'work', load: () => import('./pages/dispatch/Dispatch.vue') },
  { path: '/messages', name: 'messages', right: 'watch', icon: Message, group: 'exchange', load: () => import('./pages/messages/Messages.vue') },
  { path: '/quarantine', name: 'quarantine', right: 'watch', icon: WarnTriangleFilled, group: 'exchange', load: () => import('./pages/quarantine/Quarantine.vue') },
  { path: '/replays', name: 'replays', right: 'watch', icon: RefreshRight, group: 'exchange', load: () => import('./pages/replays/Replays.vue') },
  { path: '/assessment', name: 'assessment', right: 'see', icon: DataAnalysis, group: 'judge', load: () => import('./pages/assessment/Assessment.vue') },
  { path: '/appeals', name: 'appeals', right: 'appeal', icon: ChatLineSquare, group: 'judge', load: () => import('./pages/appeals/Appeals.vue') },
  { path: '/people', name: 'people', right: 'administer', icon: User, group: 'people', load: () => import('./pages/people/People.vue') },
  { path: '/viewings', name: 'viewings', right: 'audit', icon: View, group: 'people', load: () => import('./pages/viewings/Viewings.vue') },
  { path: '/account', name: 'account', right: null, icon: Key, group: null, load: () => import('./pages/account/Account.vue') },
]
