import type { Like } from '../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  skip: 'Skip to the content',
  menu: 'Main menu',
  openMenu: 'Open the menu',
  fold: 'Fold the menu',
  unfold: 'Unfold the menu',
  groups: { watch: 'Watch', work: 'Work', exchange: 'Exchange', judge: 'Judge', people: 'People' },
  search: 'Search cases',
  searchHint: 'Number, phone, place, text (press /)',
  palette: 'Go to a page',
  paletteHint: 'Name of a page',
  paletteNone: 'No such page',
  language: 'Change the language',
  theme: 'Look',
  themes: { light: 'Light', dark: 'Dark', wall: 'Wall' },
  leaveWall: 'Leave the wall (Esc)',
  me: 'My account',
  account: 'Account and rights',
  connecting: 'Connecting',
  live: 'Live',
  stale: 'Data of {at}',
  never: 'Not connected',
  resting: 'Updates rest',
  staleLong: 'Nothing has come since {at}: the figures on this page may be out of date. Connecting again.',
  staleNever: 'No live updates: the figures are those of when the page was opened. Connecting again.',
  age: 'updated {span} ago',
  broken: 'The page did not open',
  brokenHint: 'There may be a new version: please load it.',
  reload: 'Load again',
}
export default words
