import type { Like } from '../../language/like'
import type zh from './words.zh'

const words: Like<typeof zh> = {
  title: 'Dispatch',
  queues: 'Queues',
  list: 'Cases that wait',
  oldest: 'oldest {at}',
  empty: 'Nothing waits in this queue',
  emptyAll: 'Nothing waits',
  column: { no: 'Case', title: 'Title', waited: 'Waits for', place: 'Place', class: 'Class' },
  why: {
    location_unknown: 'Nobody knows where it is: with a place it can be filed; or have it verified, or refuse it.',
    class_unknown: 'The source gave no class that is known: with one it can be filed.',
    to_file: 'Class and place are known; the catalogue leaves it to a person whether to file.',
    to_verify: 'The catalogue wants it verified first: then file it, or refuse.',
    no_owner: 'The responsibility list names no unit: choose one.',
    returned: 'The unit returned it: dispatch it again, or rule who has it, which cannot be returned.',
    at_desk: 'The unit has no system: the desk hands it over and records what happens.',
    to_check: 'The unit says it is done: check it, or have it reworked.',
    to_close: 'The check was passed: close it.',
  },
  reason: "The rule's reason",
  previous: 'Previous K',
  next: 'Next J',
  position: '{n} / {all}',
  choose: 'What to do',
  act: '{action}, then the next',
  keys: 'J and K: another case. Enter: fill in. Ctrl+Enter: do it, then the next. Esc: back to the list',
  open: 'Open the case',
  done: '{no}: done ({action})',
  chosen: '{n} chosen',
  bulk: '{action}: all chosen',
  bulkTitle: '{action}: {n} cases',
  bulkEffect: 'One after the other, with the same words; one that fails stops none of the others.',
  clear: 'Choose none',
}
export default words
