/** Addresses to pages, from the one table. Whoever is not signed in signs in first, and comes back to where they were. */

import { createRouter, createWebHistory, type RouteLocationNormalized, type Router, type RouterHistory } from 'vue-router'

import { whenUnknown } from '../api/ask'
import { PAGES, type PageEntry, type PageName } from '../pages'
import { endedInTheMiddle, may, person, recall } from '../session/session'

declare module 'vue-router' {
  interface RouteMeta {
    page?: PageEntry
    /** Without the frame, and open to who is not signed in. */
    bare?: boolean
  }
}

export function pageOf(route: RouteLocationNormalized): PageEntry | undefined {
  return route.meta.page
}

export function entry(name: PageName): PageEntry {
  const found = PAGES.find((page) => page.name === name)
  if (!found) throw new Error(`no page ${name}`)
  return found
}

/** The first page somebody may open. */
export function home(): PageEntry {
  return PAGES.find((page) => page.group !== null && may(page.right)) ?? entry('account')
}

/** Only an address of ours: whoever sends a link must not send people elsewhere after they signed in. */
export function safeReturn(wanted: unknown): string {
  return typeof wanted === 'string' && /^\/(?![/\\])/.test(wanted) ? wanted : '/'
}

export function makeRouter(history: RouterHistory = createWebHistory('/console/')): Router {
  const router = createRouter({
    history,
    scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
    routes: [
      ...PAGES.map((page) => ({ path: page.path, name: page.name, component: page.load, meta: { page } })),
      {
        path: '/sign-in',
        name: 'sign-in',
        component: () => import('../session/SignIn.vue'),
        meta: { bare: true },
      },
      { path: '/no-right', name: 'no-right', component: () => import('../session/NoRight.vue') },
      { path: '/:rest(.*)*', name: 'nowhere', component: () => import('../session/NoRight.vue') },
    ],
  })

  router.beforeEach(async (to) => {
    if (to.meta.bare) return true
    if (person.value === null && !(await recall())) return { name: 'sign-in', query: { to: to.fullPath } }
    const page = to.meta.page
    if (person.value?.owed.length && page?.name !== 'account') return entry('account').path
    if (!page || may(page.right)) return true
    if (page.path === '/') return home().path // nobody asked for it: it is where the address begins
    return { name: 'no-right', query: { page: page.name }, replace: true }
  })

  whenUnknown(() => {
    if (router.currentRoute.value.meta.bare) return
    // In the middle of work a dialog asks: what was typed, and where one stood in a list, must not be lost.
    if (person.value) endedInTheMiddle()
    else void router.replace({ name: 'sign-in', query: { to: router.currentRoute.value.fullPath } })
  })
  return router
}
