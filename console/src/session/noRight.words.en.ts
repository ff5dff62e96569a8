import type { Like } from '../language/like'
import type zh from './noRight.words.zh'

const words: Like<typeof zh> = {
  title: 'Not allowed',
  text: 'Your role does not open “{page}”.',
  hint: 'If you need it, ask the administrator.',
  home: 'Go to a page that I may open',
  nowhere: 'No such page',
  nowhereText: 'There is no page at this address.',
}
export default words
